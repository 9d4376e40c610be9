from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.gateway.shared_counts import shared_counts

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys
from pawsight_serving.gateway.shared_counts import shared_counts
with shared_counts() as folder:
    (folder / "counter_1.db").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def age(folder: Path) -> None:
    """Make a folder look like one that was made an hour ago."""
    long_ago = folder.stat().st_mtime - 3600
    os.utime(folder, (long_ago, long_ago))


def test_the_folder_goes_with_its_process(temporary: Path) -> None:
    with shared_counts() as folder:
        assert list(temporary.iterdir()) == [folder]
    assert not list(temporary.iterdir())


def test_what_a_killed_process_left_is_removed_by_the_next_one(temporary: Path) -> None:
    program = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.kill()
    (left,) = temporary.iterdir()
    with shared_counts():
        assert left.exists()  # as one that is just being made
    age(left)
    with shared_counts() as folder:
        assert list(temporary.iterdir()) == [folder]


def test_what_others_use_stays(temporary: Path) -> None:
    with shared_counts() as folder:
        age(folder)
        foreign = temporary / "pawsight-metrics-link"
        foreign.symlink_to(folder)
        with shared_counts() as another:
            assert set(temporary.iterdir()) == {folder, another, foreign}
