from __future__ import annotations

import errno
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pawsight_training.errors import RunInvalid
from pawsight_training.runs.run_folder import refuse_unusable, sole_training

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_training.runs.run import Run


def test_a_new_or_an_empty_folder_is_taken_and_not_made(tmp_path: Path) -> None:
    refuse_unusable(tmp_path, resume=False, first=True)
    refuse_unusable(tmp_path / "deep" / "run", resume=False, first=True)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_gone_on_with_or_left_alone(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(RunInvalid, match="is not empty; go on with --resume"):
        refuse_unusable(tmp_path, resume=False, first=True)
    refuse_unusable(tmp_path, resume=False, first=False)
    refuse_unusable(tmp_path, resume=True, first=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_finished_run_is_not_written_over(finished_run: Run, resume: bool) -> None:
    with pytest.raises(RunInvalid, match="already holds a finished run"):
        refuse_unusable(finished_run.path, resume=resume, first=True)


@pytest.mark.parametrize("resume", [False, True])
def test_where_nothing_can_be_written_is_known_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    (tmp_path / "file").touch()
    for taken in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(RunInvalid, match=r"file is no folder; .* --out"):
            refuse_unusable(taken, resume=resume, first=True)
    # Whoever runs the tests may be allowed everything.
    monkeypatch.setattr("os.access", lambda folder, _: folder != tmp_path)
    with pytest.raises(RunInvalid, match=r"may not be written; .* --out"):
        refuse_unusable(tmp_path / "run", resume=resume, first=True)


def test_a_second_training_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    with sole_training(out):
        (out / "history.csv").touch()
        with pytest.raises(RunInvalid, match="Another training is writing to"), sole_training(out):
            pass
    with sole_training(out):
        assert (out / "history.csv").exists()


def test_a_training_that_was_killed_keeps_nobody_out(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time\n"
        "from pawsight_training.runs.run_folder import sole_training\n"
        "with sole_training(pathlib.Path(sys.argv[1])):\n"
        "    print('begun', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
    ) as training:
        assert training.stdout is not None
        assert training.stdout.readline() == b"begun\n"
        with pytest.raises(RunInvalid, match="Another training"), sole_training(tmp_path):
            pass
        training.kill()
    with sole_training(tmp_path):
        pass


def test_one_that_comes_to_nothing_leaves_no_folder_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="weights"), sole_training(tmp_path / "new"):
        raise ValueError("no weights")
    assert not (tmp_path / "new").exists()
    with sole_training(tmp_path):
        pass
    assert tmp_path.exists()


def test_a_file_system_without_locks_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with sole_training(tmp_path):
        assert "cannot be locked" in caplog.text
