from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pawsight_serving.observability.announcing import announce
announce("serving")
print("alive", file=sys.stderr)
"""
FULL = Path("/dev/full")


def test_the_line_is_printed() -> None:
    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("serving\n", "alive\n")


def test_where_the_log_is_json_the_line_is_an_object_too() -> None:
    logging = "from pawsight_serving.observability.logs import start_logging; start_logging('json')"
    program = [sys.executable, "-c", f"{logging}{PROGRAM}"]
    done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    said = json.loads(done.stdout)
    assert (said["level"], said["message"]) == ("INFO", "serving")


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
