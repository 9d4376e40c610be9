"""`pawsight serve` launches the explainer's process before it knows its own options."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import click
import pytest

from pawsight_serving import serve_command
from pawsight_serving.gateway import main
from pawsight_serving.gateway.launched_process import LaunchedProcess
from pawsight_serving.serve_command import serve

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_serving.settings import GatewaySettings


pytestmark = pytest.mark.usefixtures("logging_as_before")

INTERRUPTED_WHILE_NUMPY_LOADS: Final = """
import signal, sys

class Interrupts:
    def find_spec(self, name, path, target=None):
        if name == "numpy.__config__":
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupts())

from pawsight_client.cli import main

main(["serve", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", *sys.argv[1:]])
"""


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[LaunchedProcess]:
    """Return what is launched, in order."""
    found: list[LaunchedProcess] = []

    class Noted(LaunchedProcess):
        def __init__(self) -> None:
            super().__init__()
            found.append(self)

    monkeypatch.setattr(serve_command, "LaunchedProcess", Noted)
    return found


def call(*arguments: str) -> None:
    with serve.make_context("serve", list(arguments)) as context:
        context.command.invoke(context)


def test_the_gateway_is_given_the_process_and_nothing_is_left_of_it(
    launched: list[LaunchedProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def run(settings: GatewaySettings, process: LaunchedProcess | None) -> None:
        assert process is not None
        assert process.running
        given.append((str(settings.grpc), process))

    monkeypatch.setattr(main, "run", run)
    call("--grpc", "127.0.0.1:1")
    assert given == [("127.0.0.1:1", launched[0])]
    assert not launched[0].running


def test_nothing_is_left_of_it_where_an_option_is_wrong(launched: list[LaunchedProcess]) -> None:
    with pytest.raises(click.UsageError, match="No such option '--grpcs'"):
        call("--grpcs", "127.0.0.1:1")
    assert not launched[0].running


def test_nothing_is_left_of_it_where_the_start_fails(
    launched: list[LaunchedProcess], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    with pytest.raises(SystemExit):
        call("--repository", str(tmp_path / "missing"), *free)
    assert "There is no model repository" in capsys.readouterr().err
    assert not launched[0].running


def test_help_launches_nothing(
    launched: list[LaunchedProcess], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(click.exceptions.Exit):
        call("--help")
    assert "--http" in capsys.readouterr().out
    assert not launched


@pytest.mark.parametrize("missing", ["package", "room"])
def test_a_machine_that_cannot_launch_it_leaves_that_to_the_gateway(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room() -> LaunchedProcess:
        raise OSError("Cannot allocate memory")

    if missing == "room":
        monkeypatch.setattr(serve_command, "LaunchedProcess", no_room)
    else:
        monkeypatch.setattr(serve_command, "find_spec", lambda _name: None)
    given: list[LaunchedProcess | None] = []
    monkeypatch.setattr(main, "run", lambda _settings, process: given.append(process))
    call()
    assert given == [None]


def test_it_ends_at_once_where_the_explainer_is_another_one(
    launched: list[LaunchedProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[bool] = []

    def check_free(*_addresses: object) -> None:
        running.append(launched[0].running)
        raise SystemExit

    monkeypatch.setattr(main, "check_free", check_free)
    with pytest.raises(SystemExit):
        call("--explainer", "127.0.0.1:1")
    assert running == [False]


@pytest.mark.parametrize("engine", [(), ("--triton", "127.0.0.1:1")], ids=["embedded", "triton"])
def test_ctrl_c_while_the_libraries_load_prints_nothing(
    engine: tuple[str, ...], tmp_path: Path
) -> None:
    ended = subprocess.run(
        (sys.executable, "-c", INTERRUPTED_WHILE_NUMPY_LOADS, *engine),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (130, "")
