from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING

from pawsight_serving.observability.lossy_handler import LossyHandler

if TYPE_CHECKING:
    import pytest

LINES = 9_000
PROGRAM = f"""
import logging, sys
from pawsight_serving.observability.logs import start_logging
start_logging(sys.argv[1])
log = logging.getLogger("much")
for number in range({LINES}):
    log.info("line %d %s", number, "x" * int(sys.argv[2]))
log.info("long %s", "y" * 20_000)
print("done", flush=True)
sys.stdin.readline()
log.info("after")
"""


def told(form: str, *, read_at_once: bool, size: int = 100) -> list[str]:
    """Return the lines of a program that logs more than a pipe holds."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, form, str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stderr is not None
        if read_at_once:
            _, said = program.communicate("\n", timeout=60)
            return said.splitlines()
        # It goes on although nobody reads what it says.
        assert program.stdout.readline() == "done\n"
        held = os.read(program.stderr.fileno(), 2**20).decode()
        _, said = program.communicate("\n", timeout=60)
    return (held + said).splitlines()


def test_what_nobody_reads_is_dropped_and_counted() -> None:
    lines = told("text", read_at_once=False)
    written = sum("line " in line for line in lines)
    assert 0 < written < LINES
    assert f"{LINES + 1 - written} lines of the log were dropped" in lines[-2]
    assert lines[-1].endswith("after")


def test_what_is_read_is_whole() -> None:
    lines = told("json", read_at_once=True)
    # A reader may be slower than the program for a moment.
    dropped = sum("were dropped" in line for line in lines)
    assert dropped or sum("line " in line for line in lines) == LINES
    assert all(line.startswith("{") and line.endswith("}") for line in lines)


def test_a_line_that_was_begun_is_ended() -> None:
    # The pipe is full in the middle of one.
    lines = told("json", read_at_once=False, size=9_000)
    messages = [json.loads(line)["message"] for line in lines]
    assert "were dropped" in messages[-2]
    assert messages[-1] == "after"


class AlwaysWritable:
    def register(self, descriptor: int, events: int) -> None: ...

    def poll(self, timeout: int) -> bool:
        return True


def test_another_process_may_fill_the_pipe_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as log, os.fdopen(writing, "w") as standard_error:
        monkeypatch.setattr(sys, "stderr", standard_error)
        monkeypatch.setattr(select, "poll", AlwaysWritable)
        handler = LossyHandler()
        failed: list[logging.LogRecord] = []
        monkeypatch.setattr(handler, "handleError", failed.append)
        for number in range(LINES):
            handler.emit(logging.LogRecord("", logging.INFO, "", 0, "line %d", (number,), None))
        handler.close()
        standard_error.close()
        lines = log.read().splitlines()
    assert failed == []
    assert 0 < len(lines) < LINES
