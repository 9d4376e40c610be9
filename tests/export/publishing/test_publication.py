from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pawsight_export.errors import PublicationFailed
from pawsight_export.publishing import publication
from pawsight_export.publishing.publication import next_version, publish
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository import directory as directory_module
from pawsight_serving.repository import served as served_module
from pawsight_serving.repository.directory import version_folders
from pawsight_serving.repository.rollback import roll_back
from pawsight_serving.repository.served import read_graph_config, served_versions
from pawsight_serving.repository.triton_config import write_config
from pawsight_serving.repository.verification import verify
from pawsight_serving.repository.writing import exclusive_writer, replace_file
from pawsight_serving.tuning.settings import Setting, remember
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

GRAPHS = ("tiny", "tiny_explain")

# Publishes in one process after another, each on a repository of its own, and each killed one step
# later than the one before; says how many it took until none was killed any more.
KILLED_LATER_AND_LATER = """
import os, pathlib, shutil, signal, sys
from pawsight_export.publishing.publication import publish
staged, first, folder = map(pathlib.Path, sys.argv[1:])
STEPS = {"open", "os.rename", "os.mkdir", "os.rmdir", "shutil.rmtree", "shutil.copytree"}

def watch(event, arguments):
    global left
    if event in STEPS:
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

for step in range(200):
    repository = folder / str(step)
    shutil.copytree(first, repository)
    child = os.fork()
    if not child:
        left = step
        sys.addaudithook(watch)
        publish(staged, repository, "tiny", "3", keep=2)
        os._exit(0)
    if os.waitpid(child, 0)[1] != signal.SIGKILL:
        print(step + 1)
        break
"""

# Publishes one version, whichever comes next, as soon as its standard input ends.
PUBLISHED_ONCE = """
import pathlib, sys
from pawsight_export.errors import PublicationFailed
from pawsight_export.publishing.publication import next_version, publish
from pawsight_serving.errors import RepositoryBusy

staged, repository = map(pathlib.Path, sys.argv[1:])
print("loaded", flush=True)
sys.stdin.read()
while True:
    version = next_version(repository, "tiny")
    try:
        publish(staged / version, repository, "tiny", version, keep=4)
        break
    except RepositoryBusy:
        pass
    except PublicationFailed as error:
        if "of another command" not in str(error):
            raise
"""


def put(repository: Path, version: str, folder: Path, keep: int = 3, **model: Any) -> list[str]:
    publish_tiny(folder / version, version=version, **model)
    return publish(folder / version, repository, "tiny", version, keep=keep)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def policies(repository: Path) -> list[list[int]]:
    """Return the versions that each graph's configuration serves, the hot one's first."""
    return [
        list(read_graph_config(repository, graph).version_policy.specific.versions)
        for graph in GRAPHS
    ]


def faults(repository: Path) -> list[str]:
    return [fault for found in verify(repository) for fault in found.faults]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    (tmp_path / "staged").mkdir()
    return tmp_path / "staged"


def test_versions_count_on(tmp_path: Path) -> None:
    assert next_version(tmp_path, "tiny") == "1"
    publish_tiny(tmp_path, version="9")
    assert next_version(tmp_path, "tiny") == "10"
    assert next_version(tmp_path, "tin") == "1"


def test_what_is_published_is_what_was_staged(staged: Path, repository: Path) -> None:
    assert put(repository, "1", staged) == ["1"]
    assert files(repository) == files(staged / "1")
    assert faults(repository) == []


def test_folders_of_a_staged_version_come_with_it(staged: Path, repository: Path) -> None:
    publish_tiny(staged)
    grids = staged / "tiny_explain" / "1" / "filters"
    grids.mkdir()
    (grids / "conv1.png").write_bytes(b"a picture")
    publish(staged, repository, "tiny", "1")
    assert files(repository) == files(staged)


def test_all_of_a_version_is_on_the_disk_before_it_is_served(
    staged: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: set[int] = set()
    really_flush = os.fsync

    def flush(descriptor: int) -> None:
        really_flush(descriptor)
        flushed.add(os.fstat(descriptor).st_ino)

    def serve(path: Path, data: bytes) -> None:
        for part in path.parent.glob("*1*"):
            for each in (part, *part.rglob("*")):
                assert each.stat().st_ino in flushed, f"{each} may be lost in a crash"
        replace_file(path, data)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(publication, "replace_file", serve)
    put(repository, "1", staged)


def test_who_finds_a_version_finds_it_and_its_explanations(
    staged: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1", "2"):
        put(repository, version, staged)
    seen: list[list[list[int]]] = []

    def watched(path: Path, data: bytes) -> None:
        replace_file(path, data)
        seen.append(policies(repository))
        for graph, versions in zip(GRAPHS, seen[-1], strict=True):
            assert all(
                (repository / graph / str(each) / "manifest.json").is_file() for each in versions
            )

    monkeypatch.setattr(publication, "replace_file", watched)
    put(repository, "3", staged, keep=1)
    assert seen[0] == [[1, 2], [1, 2]]
    assert [[3], [1, 2, 3]] in seen
    assert seen[-1] == [[3], [3]]
    assert all(set(hot) <= set(explain) for hot, explain in seen)


def test_a_second_version_leaves_the_first_alone(staged: Path, repository: Path) -> None:
    put(repository, "1", staged)
    before = {name: data for name, data in files(repository).items() if "/1/" in name}
    assert put(repository, "2", staged) == ["1", "2"]
    assert before.items() <= files(repository).items()
    assert served_versions(repository, "tiny") == ["1", "2"]
    assert faults(repository) == []


def test_the_newest_are_kept(staged: Path, repository: Path) -> None:
    for version in ("1", "2", "3"):
        put(repository, version, staged, keep=2)
    for graph in GRAPHS:
        assert version_folders(repository, graph) == ["2", "3"]
        config = read_graph_config(repository, graph)
        assert list(config.version_policy.specific.versions) == [2, 3]
        assert "manifest:1" not in config.parameters
    assert faults(repository) == []
    assert put(repository, "4", staged, keep=1) == ["4"]


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("broken", [None, b"", b"no configuration"])
def test_a_configuration_that_is_lost_is_made_anew(
    staged: Path,
    repository: Path,
    graph: str,
    broken: bytes | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put(repository, "1", staged)
    config = repository / graph / "config.pbtxt"
    config.unlink() if broken is None else config.write_bytes(broken)
    assert put(repository, "2", staged) == ["1", "2"]
    assert faults(repository) == []
    (told,) = caplog.messages
    assert told.startswith("a configuration is made anew: The ")


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_configuration_that_a_disk_does_not_give_is_not_taken_for_lost(
    staged: Path, repository: Path, graph: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> bytes:
        if path.parent.name == graph:
            raise OSError(errno.EIO, "Input/output error")
        return path.read_bytes()

    put(repository, "1", staged)
    before = files(repository)
    monkeypatch.setattr(served_module, "read_regular_file", read)
    with pytest.raises(RepositoryInvalid):
        put(repository, "2", staged)
    assert files(repository) == before


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_version_whose_manifest_is_broken_holds_up_no_other(
    staged: Path, repository: Path, version: str
) -> None:
    put(repository, "1", staged)
    put(repository, "2", staged)
    (repository / "tiny" / version / "manifest.json").write_text("{")
    whole = [each for each in ("1", "2") if each != version]
    assert put(repository, "3", staged) == [*whole, "3"]
    assert version_folders(repository, "tiny") == ["1", "2", "3"]
    assert policies(repository) == [[*map(int, whole), 3]] * 2
    put(repository, "4", staged, keep=1)
    assert faults(repository) == []


def test_a_manifest_that_a_disk_does_not_give_is_not_taken_for_broken(
    staged: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> bytes:
        if path.is_relative_to(repository):
            raise OSError(errno.EIO, "Input/output error")
        return path.read_bytes()

    put(repository, "1", staged)
    before = files(repository)
    monkeypatch.setattr(directory_module, "read_regular_file", read)
    with pytest.raises(RepositoryInvalid, match="tiny version 1 cannot be read"):
        put(repository, "2", staged)
    assert files(repository) == before


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '{"instances": "many"}'])
def test_what_was_tuned_and_cannot_be_read_holds_up_no_publication(
    staged: Path, repository: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    put(repository, "1", staged)
    config = read_graph_config(repository, "tiny")
    config.parameters["tuned"].string_value = text
    (repository / "tiny" / "config.pbtxt").write_text(write_config(config))
    assert put(repository, "2", staged) == ["1", "2"]
    assert faults(repository) == []
    assert caplog.messages == [
        "a configuration is made anew: What tiny was tuned to cannot be read; tune it again with "
        "`pawsight tune`."
    ]


def test_what_was_rolled_back_goes_with_the_next_publication(
    staged: Path, repository: Path
) -> None:
    for version in ("1", "2", "3"):
        put(repository, version, staged)
    roll_back(repository, "tiny")
    assert next_version(repository, "tiny") == "4"
    assert put(repository, "4", staged) == ["1", "2", "4"]
    for graph in GRAPHS:
        assert version_folders(repository, graph) == ["1", "2", "4"]
    assert faults(repository) == []


def test_what_was_kept_outlives_the_folder_of_all_that_was_served(
    staged: Path, repository: Path
) -> None:
    for version in ("1", "2"):
        put(repository, version, staged)
    put(repository, "3", staged, side=4)
    config = read_graph_config(repository, "tiny")
    remember(config, Setting(instances=3, largest_batch=8, delay_us=500), {"p99_ms": 12.5})
    (repository / "tiny" / "config.pbtxt").write_text(write_config(config))
    for graph in GRAPHS:
        shutil.rmtree(repository / graph / "3")
    assert put(repository, "4", staged, keep=2) == ["2", "4"]
    for graph in GRAPHS:
        assert version_folders(repository, graph) == ["2", "4"]
    assert read_graph_config(repository, "tiny").instance_group[0].count == 3
    assert faults(repository) == []


def test_what_was_tuned_stays_tuned(staged: Path, repository: Path) -> None:
    put(repository, "1", staged)
    tuned = read_graph_config(repository, "tiny")
    remember(tuned, Setting(instances=3, largest_batch=8, delay_us=500), {"p99_ms": 12.5})
    (repository / "tiny" / "config.pbtxt").write_text(write_config(tuned))
    put(repository, "2", staged)
    config = read_graph_config(repository, "tiny")
    assert (config.max_batch_size, config.instance_group[0].count) == (8, 3)
    assert config.parameters["tuned"] == tuned.parameters["tuned"]
    assert read_graph_config(repository, "tiny_explain").instance_group[0].count == 1
    assert faults(repository) == []


@pytest.mark.parametrize(
    "other", [{"side": 4}, {"classes": ("cats", "dogs")}, {"precision": "int8"}]
)
def test_what_cannot_share_its_configuration_waits_for_a_rollback(
    staged: Path, repository: Path, other: dict[str, Any]
) -> None:
    put(repository, "1", staged)
    first = files(repository)
    assert put(repository, "2", staged, **other) == ["2"]
    assert policies(repository) == [[2], [2]]
    assert faults(repository) == []
    second = files(repository)
    roll_back(repository, "tiny")
    assert {name: files(repository)[name] for name in first if name.endswith(".txt")} == {
        name: text for name, text in first.items() if name.endswith(".txt")
    }
    for graph in GRAPHS:
        config = read_graph_config(repository, graph)
        assert config.parameters.pop("manifest:2", None) is not None or graph == "tiny_explain"
        assert write_config(config) == first[f"{graph}/config.pbtxt"].decode()
    assert faults(repository) == []
    roll_back(repository, "tiny", "2")
    assert policies(repository) == [[2], [2]]
    assert {k: v for k, v in files(repository).items() if k != "tiny/config.pbtxt"} == {
        k: v for k, v in second.items() if k != "tiny/config.pbtxt"
    }
    assert faults(repository) == []


def test_what_waits_for_a_rollback_counts_among_those_that_are_kept(
    staged: Path, repository: Path
) -> None:
    put(repository, "1", staged)
    put(repository, "2", staged, side=4)
    assert put(repository, "3", staged, side=4) == ["2", "3"]
    assert version_folders(repository, "tiny") == ["1", "2", "3"]
    assert put(repository, "4", staged) == ["4"]
    assert version_folders(repository, "tiny") == ["2", "3", "4"]
    assert put(repository, "5", staged, side=4) == ["3", "5"]
    assert faults(repository) == []


def test_a_version_that_is_there_is_never_overwritten(staged: Path, repository: Path) -> None:
    put(repository, "1", staged)
    before = files(repository)
    with pytest.raises(PublicationFailed, match="Version 1 of tiny could not be published"):
        publish(staged / "1", repository, "tiny", "1")
    assert files(repository) == before


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_publication_that_fails_leaves_what_was_there(
    staged: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    repository.mkdir()
    if version == "2":
        put(repository, "1", staged)
    before = files(repository)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publication, "replace_file", full)
    with pytest.raises(PublicationFailed, match="No space left"):
        put(repository, version, staged)
    assert files(repository) == before
    assert {folder.name for folder in repository.iterdir()} == (
        set(GRAPHS) if version == "2" else set()
    )


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_at_any_file_leaves_what_was_there(
    staged: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    fault: BaseException,
) -> None:
    repository.mkdir()
    if version == "2":
        put(repository, "1", staged)
    publish_tiny(staged / version, version=version, classes=("cats", "dogs"))
    before = files(repository)
    for written in range(4):
        room = written

        def fails_later(path: Path, data: bytes) -> None:
            nonlocal room
            if not room:
                raise fault
            room -= 1
            replace_file(path, data)

        monkeypatch.setattr(publication, "replace_file", fails_later)
        with pytest.raises((PublicationFailed, KeyboardInterrupt)):
            publish(staged / version, repository, "tiny", version)
        assert files(repository) == before
        assert bool(list(repository.iterdir())) == (version == "2")


def test_a_full_disk_is_told_in_its_own_words(
    staged: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "a file", None, "another")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(PublicationFailed) as failed:
        put(repository, "1", staged)
    assert str(failed.value).endswith(
        f"published in {repository}: No space left on device; mend that, or choose another "
        "--repository, then export again."
    )


def test_what_cannot_be_removed_does_not_undo_a_publication(
    staged: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put(repository, "1", staged)

    def denied(graph: Path, kept: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(publication, "remove_others", denied)
    assert put(repository, "2", staged, keep=1) == ["2"]
    assert served_versions(repository, "tiny") == ["2"]
    assert "could not be removed" in caplog.text
    assert faults(repository) == []


def test_killed_anywhere_the_old_or_the_new_is_served_and_the_next_one_cleans_up(
    staged: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    for version in ("1", "2"):
        put(first, version, staged, keep=2)
    publish_tiny(staged / "3", version="3")
    killed: list[str | Path] = [
        sys.executable,
        "-c",
        KILLED_LATER_AND_LATER,
        staged / "3",
        first,
        tmp_path,
    ]
    said = subprocess.run(killed, timeout=120, check=True, capture_output=True, text=True)
    states = []
    for step in range(int(said.stdout)):
        repository = tmp_path / str(step)
        hot, explain = (
            set(read_graph_config(repository, graph).version_policy.specific.versions)
            for graph in GRAPHS
        )
        assert hot <= explain
        states.append(served_versions(repository, "tiny"))
        for served in states[-1]:
            assert all((repository / g / served / "model.onnx").is_file() for g in GRAPHS)
        version = next_version(repository, "tiny")
        put(repository, version, tmp_path / f"staged-{step}", keep=1)
        assert faults(repository) == []
        for graph in GRAPHS:
            names = {path.name for path in (repository / graph).iterdir()}
            assert names == {version, "config.pbtxt", "labels.txt"}
    old, new = (states.count(each) for each in (["1", "2"], ["2", "3"]))
    assert states == [["1", "2"]] * old + [["2", "3"]] * new
    assert min(old, new) > 3


def test_not_while_another_command_changes_the_model(staged: Path, repository: Path) -> None:
    put(repository, "1", staged)
    with exclusive_writer(repository, "tiny"), pytest.raises(RepositoryInvalid, match="try again"):
        put(repository, "2", staged)
    assert version_folders(repository, "tiny") == ["1"]


def test_who_finds_a_first_publication_under_way_leaves_its_folders(
    staged: Path, repository: Path
) -> None:
    for graph in GRAPHS:
        (repository / graph).mkdir(parents=True)
    with exclusive_writer(repository, "tiny"), pytest.raises(RepositoryInvalid, match="try again"):
        put(repository, "1", staged)
    assert sorted(folder.name for folder in repository.iterdir()) == sorted(GRAPHS)


def test_first_publications_side_by_side_come_one_after_the_other(
    staged: Path, repository: Path
) -> None:
    for version in "1234":
        publish_tiny(staged / version, version=version)
    publishing: list[str | Path] = [sys.executable, "-c", PUBLISHED_ONCE, staged, repository]
    processes = [
        subprocess.Popen(publishing, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "loaded\n"
        for process in processes:
            assert process.stdin
            process.stdin.close()
        assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    finally:
        for process in processes:
            process.kill()
            with process:
                pass
    assert served_versions(repository, "tiny") == ["1", "2", "3", "4"]
    assert faults(repository) == []


def test_a_number_that_others_have_passed_is_not_published(staged: Path, repository: Path) -> None:
    put(repository, "1", staged)
    put(repository, "3", staged, keep=1)
    before = files(repository)
    with pytest.raises(PublicationFailed, match="a higher one, is there already"):
        put(repository, "2", staged)
    assert files(repository) == before


def test_ctrl_c_waits_until_what_has_begun_is_published(
    staged: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(repository, "1", staged)

    def interrupted(path: Path, data: bytes) -> None:
        signal.raise_signal(signal.SIGINT)
        replace_file(path, data)

    monkeypatch.setattr(publication, "replace_file", interrupted)
    # A shell that runs the tests in the background ignores the signal for them.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            put(repository, "2", staged, keep=1, classes=("cats", "dogs"))
    finally:
        signal.signal(signal.SIGINT, before)
    assert served_versions(repository, "tiny") == ["2"]
    assert {path.name for path in (repository / "tiny").iterdir()} == {
        *("2", "config.pbtxt", "labels.txt")
    }
    assert faults(repository) == []


def test_a_repository_that_cannot_be_written_is_named(staged: Path, repository: Path) -> None:
    repository.write_text("a file where a folder should be")
    with pytest.raises(PublicationFailed, match="repository"):
        put(repository, "1", staged)
    assert repository.is_file()
