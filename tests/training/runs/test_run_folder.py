from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_training.errors import RunInvalid
from pawsight_training.runs.run_folder import refuse_unusable

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
