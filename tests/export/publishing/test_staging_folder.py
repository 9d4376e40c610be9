from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pawsight_export.publishing.staging_folder import staging_folder

STAGES = """
import time
from pawsight_export.publishing.staging_folder import staging_folder
with staging_folder() as folder:
    (folder / "pets").mkdir()
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_it_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    with staging_folder() as folder:
        (folder / "pets").mkdir()
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_the_next_export_removes_that_of_a_killed_one_and_no_other(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STAGES], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        left = Path(run.stdout.readline().strip())
        with staging_folder():
            assert (left / "pets").is_dir()
        run.kill()
    assert left.exists()
    with staging_folder():
        assert not left.exists()


def test_what_may_not_be_abandoned_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "pets").mkdir(parents=True)
    (tmp_path / "pawsight-export-link").symlink_to(kept)
    (tmp_path / "pawsight-export-new").mkdir()
    (tmp_path / "pawsight-export-notes").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with staging_folder():
        pass
    assert sorted(tmp_path.rglob("*")) == before
