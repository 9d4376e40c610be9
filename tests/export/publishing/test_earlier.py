from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING

import pytest

from pawsight_export.publishing.earlier import Earlier, read_earlier
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository import directory, served
from pawsight_serving.repository.rollback import roll_back
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def test_a_model_that_is_not_there_has_no_earlier_versions(tmp_path: Path) -> None:
    assert read_earlier(tmp_path / "nowhere", "tiny") == Earlier()


def test_neither_what_was_rolled_back_nor_a_broken_manifest_is_among_them(tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        publish_tiny(tmp_path, version=version)
    roll_back(tmp_path, "tiny")
    (tmp_path / "tiny" / "1" / "manifest.json").write_text("{")
    earlier = read_earlier(tmp_path, "tiny")
    assert earlier.served == earlier.versions == ["1", "2"]
    assert [each.version for each in earlier.manifests] == ["2"]


def test_without_a_configuration_nothing_is_served_and_nothing_rolled_back(tmp_path: Path) -> None:
    for version in ("1", "2"):
        publish_tiny(tmp_path, version=version)
    roll_back(tmp_path, "tiny")
    (tmp_path / "tiny" / "config.pbtxt").unlink()
    earlier = read_earlier(tmp_path, "tiny")
    assert (earlier.served, earlier.versions) == ([], ["1", "2"])
    assert list(earlier.configurations) == ["tiny_explain"]
    (fault,) = earlier.broken_configurations
    assert "no configuration" in str(fault)


def test_where_the_folder_of_all_that_was_served_is_gone_nothing_was_rolled_back(
    tmp_path: Path,
) -> None:
    for version in ("1", "2", "3"):
        publish_tiny(tmp_path, version=version)
    roll_back(tmp_path, "tiny", "1")
    shutil.rmtree(tmp_path / "tiny" / "1")
    earlier = read_earlier(tmp_path, "tiny")
    assert (earlier.served, earlier.versions) == ([], ["2", "3"])
    assert [each.version for each in earlier.manifests] == ["2", "3"]
    assert earlier.broken_configurations == []


@pytest.mark.parametrize(
    ("module", "file"),
    [
        (directory, "tiny/1/manifest.json"),
        (served, "tiny/config.pbtxt"),
        (served, "tiny_explain/config.pbtxt"),
    ],
)
def test_what_the_disk_does_not_give_is_not_taken_for_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, file: str
) -> None:
    def read(path: Path) -> bytes:
        if path == tmp_path / file:
            raise OSError(errno.EACCES, "Permission denied")
        return path.read_bytes()

    publish_tiny(tmp_path)
    monkeypatch.setattr(module, "read_regular_file", read)
    with pytest.raises(RepositoryInvalid, match="tiny"):
        read_earlier(tmp_path, "tiny")
