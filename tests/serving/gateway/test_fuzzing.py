"""Half a minute of `benchmarks.fuzz`; more by its `--seconds`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.serving.tiny_repository import publish_tiny

PROJECT = Path(__file__).parents[3]
SECONDS = 25


def test_nothing_that_is_broken_breaks_the_server(tmp_path: Path) -> None:
    publish_tiny(tmp_path / "repository")
    found = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.fuzz", "--seconds", str(SECONDS)),
            *("--repository", tmp_path / "repository", "--failures", tmp_path / "failures"),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "0 failures" in found.stdout
