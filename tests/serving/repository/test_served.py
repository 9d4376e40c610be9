from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import ModelNotFound, RepositoryInvalid, VersionNotFound
from pawsight_serving.repository.rollback import roll_back
from pawsight_serving.repository.served import read_model, served_versions
from pawsight_serving.repository.triton_config import read_config, write_config
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_published_is_served_where_the_policy_names_it(tmp_path: Path) -> None:
    for version in ("1", "2", "10"):
        publish_tiny(tmp_path, version=version)
    path = tmp_path / "tiny" / "config.pbtxt"
    config = read_config(path.read_text(), "tiny")
    config.version_policy.latest.num_versions = 2
    path.write_text(write_config(config))
    assert served_versions(tmp_path, "tiny") == ["2", "10"]


def test_a_model_that_is_being_made_is_not_served_yet(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    assert served_versions(tmp_path, "tiny") == []
    assert served_versions(tmp_path, "nobody") == []


@pytest.mark.parametrize("text", [None, b"max_batch_size: many", b"name: \xff"])
def test_a_broken_configuration_is_named(tmp_path: Path, text: bytes | None) -> None:
    publish_tiny(tmp_path)
    path = tmp_path / "tiny" / "config.pbtxt"
    path.unlink()
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(RepositoryInvalid, match="tiny"):
        served_versions(tmp_path, "tiny")


def test_a_model_is_read_whatever_is_broken_of_others(tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        publish_tiny(tmp_path, version=version)
    for name in ("other", "unconfigured"):
        publish_tiny(tmp_path, name=name)
    roll_back(tmp_path, "tiny")
    (tmp_path / "other" / "1" / "manifest.json").write_text("{")
    (tmp_path / "tiny" / "1" / "manifest.json").write_text("{")
    (tmp_path / "unconfigured" / "config.pbtxt").unlink()
    assert read_model(tmp_path, "tiny").version == "2"
    assert read_model(tmp_path, "tiny", "3").version == "3"
    for broken in ("other", "unconfigured"):
        with pytest.raises(RepositoryInvalid, match=broken):
            read_model(tmp_path, broken)
    with pytest.raises(RepositoryInvalid, match="manifest of tiny version 1 cannot be read"):
        read_model(tmp_path, "tiny", "1")
    with pytest.raises(VersionNotFound, match="'4'"):
        read_model(tmp_path, "tiny", "4")
    for name in ("nobody", "../tiny", "tiny_explain", ""):
        with pytest.raises(ModelNotFound, match=r"the models are: other, tiny\.$"):
            read_model(tmp_path, name)


def test_no_model_can_be_read_where_none_is_published(tmp_path: Path) -> None:
    with pytest.raises(RepositoryInvalid, match="no published model"):
        read_model(tmp_path, "tiny")
    with pytest.raises(RepositoryInvalid, match="There is no model repository"):
        read_model(tmp_path / "nowhere", "tiny")
