"""The program itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from pawsight_client.cli import main
from pawsight_client.cli.commands import COMMANDS, Entry

FULL = Path("/dev/full")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pawsight_client", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module for the command `serve`; write into it what it shall do."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"command_of_{tmp_path.name}"
    monkeypatch.setitem(COMMANDS, "serve", Entry(f"{name}:serve", "serving", "Serve."))
    return tmp_path / f"{name}.py"


def test_help_lists_every_command() -> None:
    listed = run("--help")
    assert listed.returncode == 0
    assert "Usage: pawsight " in listed.stdout
    for name, entry in COMMANDS.items():
        assert name in listed.stdout
        assert entry.summary.split(",")[0][:20] in listed.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pawsight_client.cli import main; main(['--help'], standalone_mode=False);"
        "heavy = {'torch', 'numpy', 'grpc', 'httpx', 'PIL', 'pawsight_serving'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_version() -> None:
    assert run("--version").stdout == f"pawsight {version('pawsight')}\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    failed = run("fetch")
    assert failed.returncode == 2
    assert "No such command 'fetch'" in failed.stderr


@pytest.mark.parametrize(
    "body",
    [
        "import onnxruntime_of_nobody\n",
        "import click\n@click.command()\ndef serve():\n    import onnxruntime_of_nobody.inner\n",
    ],
    ids=["when it is loaded", "when it runs"],
)
def test_a_missing_package_is_told_with_the_extra_that_brings_it(command: Path, body: str) -> None:
    command.write_text(body)
    result = CliRunner().invoke(main, ["serve"])
    assert result.exit_code == 2
    assert "needs the package 'onnxruntime_of_nobody'" in result.output
    assert "pip install 'pawsight[serving]'" in result.output
    assert "pip install --constraint constraints.txt '.[serving]'" in result.output


def test_a_missing_package_of_every_installation(
    command: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command.write_text("import httpx_of_nobody\n")
    monkeypatch.setitem(COMMANDS, "serve", COMMANDS["serve"]._replace(extra=""))
    result = CliRunner().invoke(main, ["serve"])
    assert "pip install 'pawsight'\n" in result.output


@pytest.mark.parametrize(
    "body", ["import pawsight_serving.nowhere\n", "from json import nothing\n", "1 / 0\n"]
)
def test_a_fault_of_ours_is_not_taken_for_a_missing_extra(command: Path, body: str) -> None:
    command.write_text(body)
    result = CliRunner().invoke(main, ["serve"])
    assert isinstance(result.exception, (ImportError, ZeroDivisionError))
    assert "pip install" not in result.output


def test_a_commands_exit_status_is_the_programs(command: Path) -> None:
    command.write_text("import click, sys\n\n\n@click.command()\ndef serve():\n    sys.exit(7)\n")
    assert CliRunner().invoke(main, ["serve"]).exit_code == 7


def test_ctrl_c_ends_cleanly(tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(
        "import threading, click\n\n\n"
        "@click.command()\n"
        "def wait():\n"
        "    print('waiting', flush=True)\n"
        "    threading.Event().wait(60)\n"
    )
    code = (
        # A shell's background job, as CI may be one, starts with SIGINT ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pawsight_client.cli import main\n"
        "from pawsight_client.cli.commands import COMMANDS, Entry\n"
        "COMMANDS['wait'] = Entry('waiting:wait', '', 'Wait.')\n"
        "main(['wait'])\n"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    with program:
        assert program.stdout
        assert program.stdout.readline() == "waiting\n"
        program.send_signal(signal.SIGINT)
        _, told = program.communicate(timeout=20)
    assert program.returncode == 130
    assert told == ""


def test_a_name_that_is_no_text_is_printed_as_it_came(command: Path) -> None:
    command.write_text(
        "import click\n\n@click.command()\n@click.argument('name')\n"
        "def serve(name):\n    click.echo(name)\n"
    )
    code = (
        "from pawsight_client.cli import main;"
        "from pawsight_client.cli.commands import COMMANDS, Entry;"
        f"COMMANDS['serve'] = Entry('{command.stem}:serve', 'serving', 'Serve.'); main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "serve", b"\xff.jpg"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONIOENCODING": "utf-8:strict",
        },
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert result.stdout == b"\xff.jpg\n"


@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
def test_an_output_that_is_full_is_told_in_a_sentence() -> None:
    with FULL.open("wb") as full:
        result = subprocess.run(
            [sys.executable, "-m", "pawsight_client", "predict", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert result.returncode == 1
    assert result.stderr == b"Error: No space is left to write to; make some.\n"
