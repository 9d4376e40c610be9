from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.repository.removal import remove_others, remove_remains

if TYPE_CHECKING:
    from pathlib import Path


def test_versions_that_are_not_kept_go_and_nothing_else_does(tmp_path: Path) -> None:
    for name in ("1", "2", "10", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / "labels.txt").touch()
    remove_others(tmp_path, {"2"})
    assert {path.name for path in tmp_path.iterdir()} == {"2", "notes", "labels.txt"}


def test_remains_of_a_killed_command_go(tmp_path: Path) -> None:
    for name in (".3.part", ".2.removed", "2", ".notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    remove_remains(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"2", ".notes"}
