from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pawsight_serving.engines.listing import check_servable, state_of, state_of_version
from pawsight_serving.errors import RepositoryInvalid
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path


def test_what_can_be_served_is_no_fault(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    (tmp_path / "notes").mkdir()
    check_servable(tmp_path)


def test_what_no_start_can_do_with_is_named(tmp_path: Path) -> None:
    with pytest.raises(RepositoryInvalid, match="There is no model repository at"):
        check_servable(tmp_path / "missing")
    with pytest.raises(RepositoryInvalid, match="holds no published model"):
        check_servable(tmp_path)
    publish_tiny(tmp_path, name="whole")
    publish_tiny(tmp_path, name="broken")
    (tmp_path / "broken" / "1" / "manifest.json").write_text("{")
    with pytest.raises(RepositoryInvalid, match="manifest of broken version 1 cannot be read"):
        check_servable(tmp_path)
    check_servable(tmp_path, without_broken=True)


def test_a_newer_version_that_is_broken_leaves_the_older_one(tmp_path: Path) -> None:
    publish_tiny(tmp_path, version="1")
    publish_tiny(tmp_path, version="2")
    (tmp_path / "tiny" / "2" / "manifest.json").write_text("{")
    check_servable(tmp_path)


def test_a_version_that_is_removed_while_one_looks_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_tiny(tmp_path, version="1")
    publish_tiny(tmp_path, version="2")
    scan = os.scandir

    def scan_late(folder: Any) -> Any:
        if str(folder).endswith("tiny/1"):
            raise FileNotFoundError(folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scan_late)
    looked_at = {path for path, *_ in state_of(tmp_path)}
    assert "tiny/2/model.onnx" in looked_at
    assert "tiny_explain/1/model.onnx" in looked_at
    assert "tiny/1/model.onnx" not in looked_at


def test_any_folder_may_be_a_models(tmp_path: Path) -> None:
    publish_tiny(tmp_path, name="tiny[1]")
    assert state_of_version(tmp_path, "tiny[1]", "1")
