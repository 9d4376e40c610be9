from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from pawsight_serving.gateway.launched_process import LaunchedProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

ECHO = (sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read())")
DEAF = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)")


ONE_LINE = (sys.executable, "-c", "print(input(), flush=True); input()")
SURROUNDINGS = (
    sys.executable,
    "-c",
    "import os; print(os.environ.get('GIVEN'), os.getsid(0) == os.getpid())",
)


class Settings(BaseModel):
    name: str


@pytest.fixture
def echo() -> Iterator[LaunchedProcess]:
    process = LaunchedProcess(ECHO)
    yield process
    process.discard()


async def test_it_is_given_its_settings_once(echo: LaunchedProcess) -> None:
    assert echo.running
    echo.settle(Settings(name="first"))
    echo.settle(Settings(name="second"))
    await echo.end(20.0)
    assert echo.output is not None
    assert echo.output.read() == b'{"name":"first"}\n'
    assert not echo.running


async def test_it_has_its_settings_at_once() -> None:
    process = LaunchedProcess(ONE_LINE)
    assert process.output is not None
    process.settle(Settings(name="first"))
    assert process.output.readline() == b'{"name":"first"}\n'
    process.discard()


@pytest.mark.parametrize(("environment", "found"), [(None, b"None"), ({"GIVEN": "x"}, b"x")])
async def test_it_has_its_own_environment_and_no_part_in_an_interrupt(
    environment: dict[str, str] | None, found: bytes
) -> None:
    process = LaunchedProcess(SURROUNDINGS, environment)
    assert process.output is not None
    # A terminal interrupts the processes of its own session.
    assert process.output.read() == found + b" True\n"
    await process.end(20.0)
    process.discard()


async def test_one_that_has_died_takes_its_settings_without_a_word(echo: LaunchedProcess) -> None:
    echo.kill()
    assert echo.output is not None
    assert echo.output.read() == b""
    echo.settle(Settings(name="late"))
    await echo.end(0.0)
    assert not echo.running


def test_one_that_has_died_before_its_settings_is_discarded_without_a_word() -> None:
    process = LaunchedProcess(ECHO)
    process.kill()
    assert process.output is not None
    assert process.output.read() == b""
    process.settle(Settings(name="late"))
    process.discard()
    assert not process.running


async def test_one_that_does_not_listen_is_killed_after_the_grace() -> None:
    process = LaunchedProcess(DEAF)
    assert process.output is not None
    assert process.output.readline() == b"here\n"
    await process.end(0.1)
    assert process.running is False
    process.discard()


def test_one_that_ends_while_it_is_looked_at_runs_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    launched = LaunchedProcess((sys.executable, "-c", ""))
    os.waitid(os.P_PID, launched.pid, os.WEXITED | os.WNOWAIT)
    # As it was a moment ago: the process has ended since.
    with monkeypatch.context() as patched:
        patched.setattr(subprocess.Popen, "poll", lambda _: None)
        assert not launched.running
    launched.discard()


def test_what_cannot_be_started_is_told() -> None:
    with pytest.raises(OSError, match="nonexistent"):
        LaunchedProcess(("/nonexistent",))
