from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import ModelNotFound, RepositoryInvalid, VersionNotFound
from pawsight_serving.repository import rollback as module
from pawsight_serving.repository.rollback import roll_back
from pawsight_serving.repository.served import read_graph_config, served_versions
from pawsight_serving.repository.writing import only_writer, replace_file
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for version in ("1", "2", "3"):
        publish_tiny(tmp_path, version=version)
    return tmp_path


def policies(repository: Path) -> list[list[int]]:
    """Return the versions that Triton loads, of the hot graph and of the other."""
    return [
        list(read_graph_config(repository, graph).version_policy.specific.versions)
        for graph in ("tiny", "tiny_explain")
    ]


def test_back_and_back_and_forth_again(repository: Path) -> None:
    assert roll_back(repository, "tiny") == ("3", "2")
    assert policies(repository) == [[1, 2]] * 2
    assert roll_back(repository, "tiny") == ("2", "1")
    assert policies(repository) == [[1]] * 2
    assert roll_back(repository, "tiny", "3") == ("1", "3")
    assert policies(repository) == [[1, 2, 3]] * 2
    assert served_versions(repository, "tiny") == ["1", "2", "3"]


@pytest.mark.parametrize(("to", "served_in_between"), [("1", [1]), ("3", [1, 2, 3])])
def test_who_finds_a_version_finds_its_explanations(
    repository: Path, monkeypatch: pytest.MonkeyPatch, to: str, served_in_between: list[int]
) -> None:
    roll_back(repository, "tiny", "2")
    seen: list[list[list[int]]] = []

    def watched(path: Path, data: bytes) -> None:
        replace_file(path, data)
        seen.append(policies(repository))

    monkeypatch.setattr(module, "replace_file", watched)
    roll_back(repository, "tiny", to)
    assert len(seen) == 3
    for hot, explain in seen:
        assert set(hot) <= set(explain)
    # A command that is killed in the middle changed all that is served, or nothing.
    assert [hot for hot, _ in seen] == [[1, 2], served_in_between, served_in_between]


def test_the_first_version_has_none_before_it(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    with pytest.raises(RepositoryInvalid, match="no version before 1"):
        roll_back(tmp_path, "tiny")


def test_what_is_not_there_is_named(repository: Path) -> None:
    with pytest.raises(VersionNotFound, match="1, 2, 3"):
        roll_back(repository, "tiny", "7")
    with pytest.raises(ModelNotFound, match="tiny"):
        roll_back(repository, "tony")
    assert policies(repository) == [[1, 2, 3]] * 2


def test_not_while_another_command_changes_the_model(repository: Path) -> None:
    with only_writer(repository, "tiny"), pytest.raises(RepositoryInvalid, match="try again"):
        roll_back(repository, "tiny")


def test_a_repository_that_cannot_be_written_is_one_sentence(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "replace_file", full)
    with pytest.raises(RepositoryInvalid, match="could not be rolled back: No space left"):
        roll_back(repository, "tiny")
    assert policies(repository) == [[1, 2, 3]] * 2
