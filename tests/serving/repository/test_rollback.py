from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from pawsight_serving.errors import ModelNotFound, RepositoryInvalid, VersionNotFound
from pawsight_serving.repository import rollback as module
from pawsight_serving.repository.rollback import roll_back, rollback_command
from pawsight_serving.repository.served import read_graph_config, served_versions
from pawsight_serving.repository.triton_config import write_config
from pawsight_serving.repository.verification import verify
from pawsight_serving.repository.writing import exclusive_writer, replace_file
from pawsight_serving.settings import DEFAULT_REPOSITORY
from tests.serving.tiny_repository import SIDE, publish_tiny


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


def test_a_version_of_another_configuration_brings_its_own(tmp_path: Path) -> None:
    publish_tiny(tmp_path, version="1")
    # One configuration for both: that of the second.
    publish_tiny(tmp_path, version="2", side=4, precision="int8", classes=("cats", "dogs"))
    tuned = read_graph_config(tmp_path, "tiny")
    tuned.instance_group[0].count = 3
    (tmp_path / "tiny" / "config.pbtxt").write_text(write_config(tuned))
    roll_back(tmp_path, "tiny")
    config = read_graph_config(tmp_path, "tiny")
    assert list(config.input[0].dims) == [SIDE, SIDE, 3]
    for warm_up in config.model_warmup:
        assert list(warm_up.inputs["image"].dims) == [SIDE, SIDE, 3]
    accelerators = config.optimization.execution_accelerators
    assert accelerators.gpu_execution_accelerator[0].parameters["precision_mode"] == "FP32"
    assert not accelerators.cpu_execution_accelerator
    assert config.instance_group[0].count == 3
    assert [each for found in verify(tmp_path) for each in found.faults] == []
    roll_back(tmp_path, "tiny", "2")
    assert policies(tmp_path) == [[2]] * 2
    assert (tmp_path / "tiny" / "labels.txt").read_text() == "cats\ndogs\n"
    assert [each for found in verify(tmp_path) for each in found.faults] == []


def test_what_was_written_by_hand_stays_where_one_configuration_does(repository: Path) -> None:
    config = read_graph_config(repository, "tiny")
    config.optimization.ClearField("execution_accelerators")
    (repository / "tiny" / "config.pbtxt").write_text(write_config(config))
    roll_back(repository, "tiny")
    config = read_graph_config(repository, "tiny")
    assert not config.optimization.HasField("execution_accelerators")


def test_a_version_whose_manifest_is_broken_can_be_left(repository: Path) -> None:
    (repository / "tiny" / "3" / "manifest.json").write_text("{")
    assert roll_back(repository, "tiny") == ("3", "2")
    with pytest.raises(RepositoryInvalid, match="manifest of tiny version 3 cannot be read"):
        roll_back(repository, "tiny", "3")
    assert policies(repository) == [[1, 2]] * 2


def test_a_rollback_that_fails_changes_nothing(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = policies(repository)
    for written in range(2):
        room = written

        def fails_later(path: Path, data: bytes) -> None:
            nonlocal room
            if not room:
                raise KeyboardInterrupt
            room -= 1
            replace_file(path, data)

        roll_back(repository, "tiny", "2")
        monkeypatch.setattr(module, "replace_file", fails_later)
        with pytest.raises(KeyboardInterrupt):
            roll_back(repository, "tiny", "3")
        monkeypatch.undo()
        assert policies(repository) == [[1, 2]] * 2
    assert before == [[1, 2, 3]] * 2


def test_ctrl_c_waits_until_a_rollback_is_whole(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def interrupted(path: Path, data: bytes) -> None:
        signal.raise_signal(signal.SIGINT)
        replace_file(path, data)
        written.append(path)

    monkeypatch.setattr(module, "replace_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        roll_back(repository, "tiny")
    assert len(written) == 3
    assert policies(repository) == [[1, 2]] * 2


def test_the_first_version_has_none_before_it(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    with pytest.raises(RepositoryInvalid, match="no version before 1"):
        roll_back(tmp_path, "tiny")


def test_where_the_served_version_was_deleted_another_is_chosen_by_name(repository: Path) -> None:
    roll_back(repository, "tiny", "1")
    for graph in ("tiny", "tiny_explain"):
        shutil.rmtree(repository / graph / "1")
    with pytest.raises(RepositoryInvalid, match=r"No version of tiny is served.*--to: 2, 3"):
        roll_back(repository, "tiny")
    roll_back(repository, "tiny", "2")
    assert served_versions(repository, "tiny") == ["2"]


def test_what_is_not_there_is_named(repository: Path) -> None:
    with pytest.raises(VersionNotFound, match="1, 2, 3"):
        roll_back(repository, "tiny", "7")
    with pytest.raises(ModelNotFound, match=r"'tony'.*tiny\.$"):
        roll_back(repository, "tony")
    assert policies(repository) == [[1, 2, 3]] * 2


def test_versions_that_are_not_served_are_not_said_to_be(repository: Path) -> None:
    roll_back(repository, "tiny", "2")
    with pytest.raises(VersionNotFound, match=r"no version '7'; name one of: 1, 2, 3\.$"):
        roll_back(repository, "tiny", "7")


def test_not_while_another_command_changes_the_model(repository: Path) -> None:
    with exclusive_writer(repository, "tiny"), pytest.raises(RepositoryInvalid, match="try again"):
        roll_back(repository, "tiny")


def test_a_repository_that_cannot_be_written_is_one_sentence(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "replace_file", full)
    with pytest.raises(RepositoryInvalid, match="rolled back: No space left on device; mend that"):
        roll_back(repository, "tiny")
    assert policies(repository) == [[1, 2, 3]] * 2


def test_the_command_names_a_repository_that_is_not_the_default_one() -> None:
    command = "pawsight repository rollback tiny --to 1"
    assert rollback_command(DEFAULT_REPOSITORY, "tiny", "1") == command
    elsewhere = rollback_command(Path("my models"), "tiny", "1")
    assert elsewhere == f"{command} --repository 'my models'"
