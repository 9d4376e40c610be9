from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pawsight_serving.triton_server import watchdog as module
from tests.processes import STOP_S


def watchdog(folder: Path, script: str) -> subprocess.Popen[str]:
    """Return a watchdog of a shell script."""
    return subprocess.Popen(
        [sys.executable, "-I", module.__file__, folder, "pawsight_test_", "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_its_status_is_the_programs(tmp_path: Path) -> None:
    with watchdog(tmp_path, "exit 3") as process:
        assert process.wait(STOP_S) == 3
    assert tmp_path.is_dir()


def test_a_signal_to_end_goes_on_to_the_program(tmp_path: Path) -> None:
    with watchdog(tmp_path, "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done") as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        process.terminate()
        assert process.wait(STOP_S) == 5


@pytest.mark.parametrize("trap", ["", "trap '' TERM;"], ids=["obeys", "deaf"])
def test_the_end_of_its_input_ends_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    if trap:
        source = tmp_path / "watchdog.py"
        text = Path(module.__file__).read_text()
        source.write_text(text.replace("_GRACE_S = 10.0", "_GRACE_S = 0.2"))
        monkeypatch.setattr(module, "__file__", str(source))
    with watchdog(folder, f"{trap} sleep 60 & echo up; while :; do sleep 0.05; done") as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        assert process.stdin
        process.stdin.close()
        assert process.wait(STOP_S) == -9
        # Its end means that the sleeping grandchild is gone as well.
        assert process.stdout.read() == ""
    assert not folder.exists()
