from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pawsight_client.cli import main
from pawsight_serving.repository.served import read_graph_config, served_versions
from pawsight_serving.repository.triton_config import write_config
from tests.serving.forbidden_folder import forbid
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    publish_tiny(tmp_path, version="1")
    publish_tiny(tmp_path, version="2")
    return tmp_path


def run(repository: Path, *arguments: str) -> Result:
    command, *rest = arguments
    return CliRunner().invoke(main, ["repository", command, "--repository", str(repository), *rest])


def test_the_list_says_what_is_served(repository: Path) -> None:
    assert run(repository, "rollback", "tiny").exit_code == 0
    listed = run(repository, "list")
    assert listed.exit_code == 0
    rows = [line.split()[:4] for line in listed.output.splitlines()]
    assert rows == [
        ["model", "version", "served", "precision"],
        ["tiny", "1", "yes", "fp32"],
        ["tiny", "2", "no", "fp32"],
    ]


@pytest.mark.parametrize("file", ["model.onnx", "manifest.json"])
def test_what_is_damaged_is_listed_beside_what_is_whole(repository: Path, file: str) -> None:
    damaged = repository / "tiny" / "2" / file
    damaged.write_text("{")
    if file == "model.onnx":
        damaged.unlink()
    listed = run(repository, "list")
    assert listed.exit_code == 0
    rows = [line.split()[:4] for line in listed.output.splitlines()[1:]]
    assert rows == [["tiny", "1", "yes", "fp32"], ["tiny", "2", "yes", "damaged"]]


def test_a_model_without_its_configuration_is_listed_beside_the_others(repository: Path) -> None:
    publish_tiny(repository, "broken")
    (repository / "broken" / "config.pbtxt").write_text("{")
    listed = run(repository, "list")
    assert listed.exit_code == 0
    rows = [line.split()[:4] for line in listed.output.splitlines()[1:]]
    assert rows == [
        ["broken", "1", "?", "damaged"],
        ["tiny", "1", "yes", "fp32"],
        ["tiny", "2", "yes", "fp32"],
    ]


@pytest.mark.parametrize("command", ["list", "verify"])
def test_an_empty_repository_is_one_sentence(tmp_path: Path, command: str) -> None:
    listed = run(tmp_path, command)
    assert listed.exit_code == 1
    assert "holds no published model" in listed.output


def test_a_rollback_says_how_to_undo_it(repository: Path) -> None:
    rolled_back = run(repository, "rollback", "tiny")
    assert "version 1 is now the newest that is served; it was 2." in rolled_back.output
    limit, _, undo = rolled_back.output.splitlines()[-1].partition(", with: pawsight ")
    assert limit == "Back to it, until the next export removes it"
    undone = CliRunner().invoke(main, shlex.split(undo))
    assert served_versions(repository, "tiny") == ["1", "2"]
    assert f"Back to it, with: pawsight {undo.replace('--to 2', '--to 1')}" in undone.output


def test_a_rollback_from_nowhere_has_no_way_back(repository: Path) -> None:
    same = run(repository, "rollback", "tiny", "--to", "2")
    assert same.output == "tiny: version 2 is now the newest that is served; it was 2.\n"
    config = read_graph_config(repository, "tiny")
    config.version_policy.specific.versions[:] = [2]
    (repository / "tiny" / "config.pbtxt").write_text(write_config(config))
    for graph in ("tiny", "tiny_explain"):
        shutil.rmtree(repository / graph / "2")
    first = run(repository, "rollback", "tiny", "--to", "1")
    assert first.output == "tiny: version 1 is now the newest that is served; none was.\n"


def test_verify_ends_with_1_where_something_differs(repository: Path) -> None:
    whole = run(repository, "verify", "tiny")
    assert (whole.exit_code, whole.output) == (0, "tiny version 1: whole\ntiny version 2: whole\n")
    (repository / "tiny" / "2" / "model.onnx").write_bytes(b"other")
    broken = run(repository, "verify")
    assert broken.exit_code == 1
    assert "tiny version 1: whole" in broken.stdout
    assert "tiny version 2: tiny/2/model.onnx is not the file" in broken.stderr


def test_filters_are_added(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    drawn = tmp_path_factory.mktemp("filters")
    (drawn / "conv1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    added = run(repository, "add-filters", "tiny", str(drawn))
    assert (added.exit_code, added.output) == (0, "tiny version 2 has the filters of conv1.\n")
    assert run(repository, "verify").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rollback", "tony"), "Model 'tony' is not served here"),
        (("rollback", "tiny", "--to", "9"), "no version '9'"),
        (("verify", "tony"), "Model 'tony' is not served here"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    repository: Path, arguments: tuple[str, ...], told: str
) -> None:
    refused = run(repository, *arguments)
    assert refused.exit_code == 1
    assert told in refused.output
    assert "Traceback" not in refused.output


def test_no_repository_is_one_sentence(tmp_path: Path) -> None:
    for command in (("list",), ("verify",)):
        refused = run(tmp_path / "nowhere", *command)
        assert refused.exit_code == 1
        assert "There is no model repository" in refused.output


def test_a_misspelt_variable_is_refused(repository: Path) -> None:
    refused = CliRunner().invoke(main, ["repository", "list"], env={"PAWSIGHT_REPOSITRY": "x"})
    assert refused.exit_code == 2
    assert "PAWSIGHT_REPOSITORY" in refused.output


def test_a_folder_that_may_not_be_looked_into_is_told_beside_the_list(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "lost+found").mkdir()
    forbid(repository / "lost+found", monkeypatch)
    listed = run(repository, "list")
    assert listed.exit_code == 0
    assert listed.stdout.count("tiny") == 2
    assert "may not look into the folder lost+found" in listed.stderr
