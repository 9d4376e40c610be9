from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pawsight_serving.process.temporary_folder import temporary_folder

STAGES = """
import time
from pawsight_serving.process.temporary_folder import temporary_folder
with temporary_folder("pawsight-test-") as folder:
    (folder / "pets").mkdir()
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_it_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    with temporary_folder("pawsight-test-") as folder:
        (folder / "pets").mkdir()
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_the_next_process_removes_that_of_a_killed_one_and_no_other(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STAGES], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        left = Path(run.stdout.readline().strip())
        with temporary_folder("pawsight-test-"):
            assert (left / "pets").is_dir()
        run.kill()
    assert left.exists()
    with temporary_folder("pawsight-test-"):
        assert not left.exists()


def test_what_may_not_be_abandoned_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "pets").mkdir(parents=True)
    (tmp_path / "pawsight-test-link").symlink_to(kept)
    (tmp_path / "pawsight-test-new").mkdir()
    (tmp_path / "pawsight-test-notes").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with temporary_folder("pawsight-test-"):
        pass
    assert sorted(tmp_path.rglob("*")) == before
