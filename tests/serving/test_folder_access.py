from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.folder_access import fault_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_nearest_folder_that_is_there_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [fault_of(tmp_path), fault_of(tmp_path / "deep" / "folder")] == ["", ""]
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    for taken in (tmp_path / "file", tmp_path / "file" / "deep"):
        assert fault_of(taken) == f"{tmp_path / 'file'} is no folder"
    # Whoever runs the tests may be allowed everything.
    monkeypatch.setattr("os.access", lambda folder, _: folder != tmp_path)
    assert fault_of(tmp_path / "deep" / "folder") == f"{tmp_path} may not be written"
