"""The program itself."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pawsight_client.cli import main
from pawsight_client.cli.commands import COMMANDS, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

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


WAITING = """
import asyncio, sys, tempfile, threading
import click

@click.command()
@click.argument("way")
def wait(way):
    with tempfile.TemporaryDirectory() as folder:
        if way == "loop":
            asyncio.run(of_tasks(folder))
        try:
            print(folder, flush=True)
            threading.Event().wait(60)
        except KeyboardInterrupt:
            if way == "own words":
                sys.exit(130)
            raise
        finally:
            if way == "slow":
                print("cleaning", flush=True)
                sys.stdin.readline()
            print("cleaned", flush=True)

async def of_tasks(folder):
    stopped = asyncio.Event()
    helper = asyncio.create_task(stopped.wait())
    print(folder, flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        stopped.set()
        # It is still there to help: the main task is stopped first, and alone.
        await helper
        print("cleaned", flush=True)
"""


@contextlib.contextmanager
def waiting(
    tmp_path: Path, way: str = "", sigint: str = "default_int_handler"
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run a command that waits; yield it with the folder that it shall not leave."""
    (tmp_path / "waiting.py").write_text(WAITING)
    code = (
        # A shell's background job, as CI may be one, starts with SIGINT ignored.
        f"import signal; signal.signal(signal.SIGINT, signal.{sigint})\n"
        "from pawsight_client.cli import main\n"
        "from pawsight_client.cli.commands import COMMANDS, Entry\n"
        "COMMANDS['wait'] = Entry('waiting:wait', '', 'Wait.')\n"
        f"main(['wait', {way!r}])\n"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
            "TMPDIR": str(tmp_path),
        },
    )
    with program:
        assert program.stdout
        yield program, Path(program.stdout.readline().strip())


@pytest.mark.parametrize("way", ["", "loop", "own words"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_cleanly(
    tmp_path: Path, number: signal.Signals, status: int, way: str
) -> None:
    with waiting(tmp_path, way) as (program, folder):
        program.send_signal(number)
        out, told = program.communicate(timeout=20)
    assert (program.returncode, out, told) == (status, "cleaned\n", "")
    assert folder.parent == tmp_path
    assert not folder.exists()


def test_ctrl_c_while_a_library_is_loaded_is_no_missing_library(command: Path) -> None:
    command.write_text(
        "import click\n\n\n@click.command()\ndef serve():\n"
        "    raise ImportError('initialization failed') from KeyboardInterrupt()\n"
    )
    result = CliRunner().invoke(main, ["serve"])
    assert (result.exit_code, result.output) == (130, "")


def test_a_background_job_which_ignores_ctrl_c_ends_cleanly_by_sigterm(tmp_path: Path) -> None:
    with waiting(tmp_path, sigint="SIG_IGN") as (program, folder):
        program.terminate()
        out, told = program.communicate(timeout=20)
    assert (program.returncode, out, told) == (143, "cleaned\n", "")
    assert not folder.exists()


def test_a_second_sigterm_does_not_break_off_what_the_first_one_cleans_up(tmp_path: Path) -> None:
    with waiting(tmp_path, "slow") as (program, folder):
        program.terminate()
        assert program.stdout
        assert program.stdout.readline() == "cleaning\n"
        program.terminate()
        out, told = program.communicate("go on\n", timeout=20)
    assert (program.returncode, out, told) == (143, "cleaned\n", "")
    assert not folder.exists()


def test_a_program_without_standard_streams_opens_nothing_in_their_place(
    command: Path, tmp_path: Path
) -> None:
    command.write_text(
        "import click, os, subprocess, sys\n\n@click.command()\n@click.argument('found')\n"
        "def serve(found):\n"
        "    first = os.open(os.devnull, os.O_RDONLY)\n"
        "    child = 'import os; [os.fstat(each) for each in range(3)]'\n"
        "    status = subprocess.run((sys.executable, '-c', child)).returncode\n"
        "    with open(found, 'w') as file:\n"
        "        print(first > 2, status, file=file)\n"
    )
    code = (
        "from pawsight_client.cli import main;"
        "from pawsight_client.cli.commands import COMMANDS, Entry;"
        f"COMMANDS['serve'] = Entry('{command.stem}:serve', 'serving', 'Serve.'); main()"
    )
    found = tmp_path / "found"
    subprocess.run(
        ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code, "serve", found),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        timeout=60,
    )
    assert found.read_text() == "True 0\n"


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
@pytest.mark.parametrize("arguments", [["predict", "--help"], ["--help"], ["--version"]])
def test_an_output_that_is_full_is_told_in_a_sentence(arguments: list[str]) -> None:
    with FULL.open("wb") as full:
        result = subprocess.run(
            [sys.executable, "-m", "pawsight_client", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert result.returncode == 1
    assert result.stderr == b"Error: The disk is full; free some space.\n"
