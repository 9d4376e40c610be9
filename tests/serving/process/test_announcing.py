from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pawsight_serving.process.announcing import announce
announce("serving")
print("alive", file=sys.stderr)
"""
FULL = Path("/dev/full")


def test_the_line_is_printed() -> None:
    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("serving\n", "alive\n")


@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
def test_a_standard_output_that_takes_nothing_ends_no_server() -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
    assert done.stderr == "alive\n"
