from __future__ import annotations

import asyncio
import errno
import itertools
import json
import logging
import shutil
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pawsight_serving.engines import following as module
from pawsight_serving.engines.embedded import EmbeddedEngine
from pawsight_serving.engines.following import Follower
from pawsight_serving.engines.loaded_versions import LoadedVersions
from pawsight_serving.engines.sharing import Sharing
from pawsight_serving.errors import (
    DeadlineExceeded,
    EngineUnavailable,
    RepositoryInvalid,
    VersionNotFound,
)
from pawsight_serving.repository.rollback import roll_back
from pawsight_serving.repository.triton_config import read_config, write_config
from pawsight_serving.requests.deadlines import Deadline
from tests.serving.forbidden_folder import forbid
from tests.serving.tiny_repository import SIDE, publish_tiny
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pawsight_serving.engines.protocol import Graphs

IMAGE = np.zeros((1, SIDE, SIDE, 3), np.uint8)
POLL_S = 0.02


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    publish_tiny(tmp_path, version="1")
    return tmp_path


@pytest.fixture
async def engine(repository: Path) -> AsyncIterator[EmbeddedEngine]:
    engine = following(repository)
    await engine.start()
    yield engine
    await engine.close()


def following(
    repository: Path,
    graphs: Graphs = "all",
    grace_s: float = 30.0,
    *,
    without_broken: bool = False,
) -> EmbeddedEngine:
    return EmbeddedEngine(
        repository, graphs=graphs, poll_s=POLL_S, grace_s=grace_s, without_broken=without_broken
    )


def listed(engine: EmbeddedEngine) -> list[str]:
    return [f"{m.name} {m.version}" for m in engine.manifests()]


def move(folder: Path, to: Path) -> None:
    folder.rename(to)


async def dog(engine: EmbeddedEngine, version: str, graph: str = "tiny") -> float:
    answer = await engine.infer(graph, version, IMAGE, ["probabilities"], Deadline.after(20))
    return float(answer["probabilities"][0, 1])


async def test_what_is_published_is_served(repository: Path, engine: EmbeddedEngine) -> None:
    publish_tiny(repository, version="2", bias=5.0)
    publish_tiny(repository, name="other")
    await until(lambda: listed(engine) == ["other 1", "tiny 1", "tiny 2"])
    assert await dog(engine, "1") == 0.5
    assert await dog(engine, "2") > 0.9
    assert await dog(engine, "2", "tiny_explain") > 0.9


async def test_a_rollback_is_followed_there_and_back(
    repository: Path, engine: EmbeddedEngine
) -> None:
    publish_tiny(repository, version="2", bias=5.0)
    await until(lambda: listed(engine) == ["tiny 1", "tiny 2"])
    roll_back(repository, "tiny")
    await until(lambda: listed(engine)[-1] == "tiny 1")
    # A gateway that has not looked yet still asks for it.
    assert await dog(engine, "2", "tiny_explain") > 0.9
    roll_back(repository, "tiny", "2")
    await until(lambda: listed(engine)[-1] == "tiny 2")


async def test_what_is_withdrawn_is_released_after_a_while(repository: Path) -> None:
    publish_tiny(repository, version="2")
    publish_tiny(repository, name="other")
    engine = following(repository, grace_s=0.1)
    await engine.start()
    roll_back(repository, "tiny")
    for graph in ("other", "other_explain"):
        shutil.rmtree(repository / graph)
    await until(lambda: listed(engine) == ["tiny 1"])
    with pytest.raises(VersionNotFound):
        await dog(engine, "2")
    await engine.close()


@pytest.mark.parametrize(
    ("graphs", "graph", "fault"),
    [
        *itertools.product(["hot", "all"], ["tiny", "tiny_explain"], ["digest", "missing"]),
        *itertools.product(["hot", "all"], ["tiny"], ["no graph", "no number"]),
    ],
)
async def test_a_broken_version_is_refused_once_and_the_old_one_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, graphs: Graphs, graph: str, fault: str
) -> None:
    repository, broken = tmp_path / "repository", tmp_path / "broken"
    publish_tiny(repository, version="1")
    engine = following(repository, graphs)
    await engine.start()
    caplog.set_level(logging.WARNING)
    publish_tiny(
        broken,
        version="2",
        bias=float("nan") if fault == "no number" else 5.0,
        graph_bytes=b"no ONNX file" if fault == "no graph" else None,
    )
    path = broken / graph / "2" / "model.onnx"
    if fault == "digest":
        path.write_bytes(path.read_bytes() + b"\0")
    elif fault == "missing":
        path.unlink()
    # Two renames, between which hardly a look finds nothing.
    move(repository, tmp_path / "before")
    move(broken, repository)
    await until(lambda: bool(caplog.records))
    publish_tiny(repository, name="other")
    await until(lambda: "other 1" in listed(engine))
    assert listed(engine)[-1] == "tiny 1"
    assert await dog(engine, "1") == 0.5
    assert [record.getMessage()[:25] for record in caplog.records] == ["tiny version 2 is refused"]
    # Mended, it is taken.
    for name in ("tiny", "tiny_explain"):
        shutil.rmtree(repository / name)
    publish_tiny(repository, version="2", bias=5.0)
    await until(lambda: listed(engine)[-1] == "tiny 2")
    await engine.close()


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("load_version", OSError(errno.EMFILE, "Too many open files")),
        ("load_version", MemoryError()),
        ("load_version", RuntimeError("can't start new thread")),
        ("list_served", OSError(errno.EMFILE, "Too many open files")),
    ],
)
async def test_what_may_pass_is_tried_again_though_no_file_changes(
    repository: Path,
    engine: EmbeddedEngine,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    fault: Exception,
) -> None:
    monkeypatch.setattr(module, "_FIRST_RETRY_S", 0.01)
    publish_tiny(repository.with_name("published"), version="1")
    publish_tiny(repository.with_name("published"), version="2", bias=5.0)
    original = getattr(module, where)
    tried = 0

    def short(*arguments: Any) -> Any:
        nonlocal tried
        tried += 1
        if tried > 3:
            return original(*arguments)
        if where == "load_version":
            raise fault
        error = RepositoryInvalid("The manifest of tiny version 2 cannot be read.")
        error.__cause__ = fault
        return {"tiny": [error]}

    shutil.rmtree(repository)
    await until(lambda: "no model repository" in caplog.text)
    caplog.clear()
    monkeypatch.setattr(module, where, short)
    move(repository.with_name("published"), repository)
    await until(lambda: listed(engine) == ["tiny 1", "tiny 2"])
    assert await dog(engine, "2") > 0.9
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warned
    # Each once, however often it is tried.
    assert len({record.getMessage() for record in warned}) == len(warned)


async def test_trying_again_takes_longer_and_longer(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, tried_s = 0.0, list[float]()

    def short(*arguments: Any) -> Any:
        tried_s.append(now_s)
        raise MemoryError

    loaded = LoadedVersions(30)
    follower = Follower(repository, loaded, "hot", Sharing())
    await follower.start()
    monkeypatch.setattr(module, "load_version", short)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now_s))
    publish_tiny(repository, version="2")
    for second in range(200):
        now_s = float(second)
        await follower.look()
    assert tried_s == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert [each.version for each in loaded.manifests] == ["1"]


async def test_a_refused_version_holds_up_no_rollback_below_it(
    repository: Path, engine: EmbeddedEngine
) -> None:
    publish_tiny(repository, version="2")
    publish_tiny(repository, version="3")
    await until(lambda: listed(engine)[-1] == "tiny 3")
    (repository / "tiny" / "1" / "model.onnx").write_bytes(b"other")
    roll_back(repository, "tiny")
    await until(lambda: listed(engine)[-1] == "tiny 2")


async def test_a_version_that_was_replaced_is_loaded_again(
    repository: Path, engine: EmbeddedEngine
) -> None:
    for graph in ("tiny", "tiny_explain"):
        shutil.rmtree(repository / graph / "1")
    publish_tiny(repository, version="1", bias=5.0)
    async with asyncio.timeout(15):
        while await dog(engine, "1") < 0.9:
            pass


async def test_a_broken_configuration_keeps_its_model_alone(
    repository: Path, engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    (repository / "tiny" / "config.pbtxt").write_text("max_batch_size: many")
    publish_tiny(repository, name="other")
    await until(lambda: listed(engine) == ["other 1", "tiny 1"])
    publish_tiny(repository, name="other", version="2")
    await until(lambda: "other 2" in listed(engine))
    told = [record.getMessage() for record in caplog.records if "stays" in record.getMessage()]
    assert told == [
        "what is loaded stays: The configuration of tiny cannot be read; export the model again."
    ]


async def test_a_folder_that_is_away_takes_nothing_out_of_service(
    repository: Path, engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    away = repository.with_name("away")
    move(repository, away)
    await until(lambda: any("stays" in record.getMessage() for record in caplog.records))
    assert await dog(engine, "1") == 0.5
    publish_tiny(away, version="2", bias=5.0)
    move(away, repository)
    await until(lambda: listed(engine)[-1] == "tiny 2")


@pytest.mark.parametrize("left", [[], ["lost+found"]])
async def test_an_empty_folder_in_its_place_takes_nothing_out_of_service(
    repository: Path, engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture, left: list[str]
) -> None:
    away = repository.with_name(f"{repository.name}.away")
    await asyncio.to_thread(move, repository, away)
    for folder in ("", *left):
        (repository / folder).mkdir()
    await until(lambda: "what is loaded stays" in caplog.text)
    await asyncio.sleep(3 * POLL_S)
    assert listed(engine) == ["tiny 1"]
    assert caplog.text.count("holds no published model") == 1
    await asyncio.to_thread(shutil.rmtree, repository)
    await asyncio.to_thread(move, away, repository)
    publish_tiny(repository, version="2")
    await until(lambda: listed(engine) == ["tiny 1", "tiny 2"])


@pytest.mark.parametrize("fault", [RepositoryInvalid("Broken."), MemoryError()])
async def test_a_version_that_could_not_be_loaded_holds_no_memory(
    repository: Path, engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    loaded: list[weakref.ref[np.ndarray]] = []

    def fail(*_: object) -> None:
        graph = np.zeros(8)
        loaded.append(weakref.ref(graph))
        raise EngineUnavailable("It cannot be loaded.") from fault

    monkeypatch.setattr(module, "load_version", fail)
    publish_tiny(repository, version="2")
    await until(lambda: bool(loaded))
    await until(lambda: all(each() is None for each in loaded))
    assert listed(engine) == ["tiny 1"]


async def test_what_is_withdrawn_is_told(
    repository: Path, engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    publish_tiny(repository, version="2")
    await until(lambda: listed(engine) == ["tiny 1", "tiny 2"])
    roll_back(repository, "tiny")
    await until(lambda: "tiny version 2 is no longer served" in caplog.text)
    assert "tiny version 1 is no longer served" not in caplog.text


async def test_a_graph_without_what_its_manifest_names_is_refused(
    repository: Path, engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    publish_tiny(repository, version="2")
    await until(lambda: listed(engine) == ["tiny 1", "tiny 2"])
    file = repository / "tiny" / "2" / "manifest.json"
    said = json.loads(file.read_text())
    said["classes"].append("bird")
    for graph in said["graphs"].values():
        graph["outputs"]["probabilities"] = [3]
    file.write_text(json.dumps(said))
    await until(lambda: "tiny version 2 has not the outputs that its manifest names" in caplog.text)
    assert await dog(engine, "2") == 0.5


async def test_other_policies_are_followed_too(repository: Path) -> None:
    publish_tiny(repository, version="2")
    publish_tiny(repository, version="3")
    path = repository / "tiny" / "config.pbtxt"
    config = read_config(path.read_text(), "tiny")
    config.version_policy.latest.num_versions = 2
    path.write_text(write_config(config))
    engine = following(repository)
    await engine.start()
    assert listed(engine) == ["tiny 2", "tiny 3"]
    await engine.close()


async def test_at_the_start_an_older_version_does_where_the_newest_is_broken(
    repository: Path,
) -> None:
    publish_tiny(repository, version="2")
    (repository / "tiny" / "2" / "model.onnx").write_bytes(b"other")
    engine = following(repository)
    await engine.start()
    assert listed(engine) == ["tiny 1"]
    await engine.close()


@pytest.mark.parametrize("file", ["1/manifest.json", "1/model.onnx", "config.pbtxt"])
async def test_at_the_start_a_broken_model_can_be_left_out_until_it_is_mended(
    repository: Path, caplog: pytest.LogCaptureFixture, file: str
) -> None:
    publish_tiny(repository, name="other")
    broken = repository / "tiny" / file
    whole = broken.read_bytes()
    broken.write_bytes(b"\0broken")
    strict = following(repository)
    with pytest.raises(RepositoryInvalid, match="tiny"):
        await strict.start()
    await strict.close()
    caplog.clear()
    engine = following(repository, without_broken=True)
    await engine.start()
    assert listed(engine) == ["other 1"]
    assert list(engine.faults()) == ["tiny"]
    with pytest.raises(EngineUnavailable, match="'tiny' is broken on the server"):
        await dog(engine, "1")
    await engine.catch_up("tiny", "1", Deadline.after(20))
    (told,) = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert str(engine.faults()["tiny"]) in told
    assert "stays" not in told
    broken.write_bytes(whole)
    await until(lambda: listed(engine) == ["other 1", "tiny 1"])
    assert not engine.faults()
    assert await dog(engine, "1") == 0.5
    await engine.close()


async def test_at_the_start_some_model_must_be_whole(repository: Path) -> None:
    (repository / "tiny" / "1" / "model.onnx").write_bytes(b"other")
    engine = following(repository, without_broken=True)
    with pytest.raises(RepositoryInvalid, match="tiny version 1 is not the file"):
        await engine.start()
    await engine.close()


async def test_a_broken_manifest_of_the_newest_version_holds_up_no_older_one(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish_tiny(repository, version="2")
    (repository / "tiny" / "2" / "manifest.json").write_text("{")
    engine = following(repository)
    await engine.start()
    assert listed(engine) == ["tiny 1"]
    assert not engine.faults()
    assert "manifest of tiny version 2 cannot be read" in caplog.text
    await engine.close()


async def test_a_model_that_is_broken_while_it_is_served_stays_whole_here(
    repository: Path, engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    (repository / "tiny" / "1" / "manifest.json").write_text("{")
    await until(lambda: "what is loaded stays" in caplog.text)
    assert await dog(engine, "1") == 0.5
    assert not engine.faults()


async def test_a_model_without_a_published_version_is_left_out_with_a_warning(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish_tiny(repository, name="other")
    (repository / "other" / "1" / "manifest.json").unlink()
    (repository / "lost+found").mkdir()
    engine = following(repository)
    await engine.start()
    assert listed(engine) == ["tiny 1"]
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == [
        "other is not served: no version of it is published; "
        "`pawsight repository verify` says what is wrong."
    ]
    await engine.close()


async def test_a_model_of_which_nothing_can_be_loaded_does_not_start(tmp_path: Path) -> None:
    publish_tiny(tmp_path, bias=float("nan"))
    engine = following(tmp_path)
    with pytest.raises(EngineUnavailable, match=r"tiny version 1.* not finite"):
        await engine.start()
    await engine.close()
    with pytest.raises(RepositoryInvalid, match="no model repository"):
        await following(tmp_path / "nowhere").start()


async def test_who_is_behind_catches_up(repository: Path) -> None:
    engine = EmbeddedEngine(repository, poll_s=3600)
    await engine.start()
    publish_tiny(repository, version="2", bias=5.0)
    await asyncio.gather(*(engine.catch_up("tiny", "2", Deadline.after(20)) for _ in range(5)))
    assert await dog(engine, "2", "tiny_explain") > 0.9
    await engine.catch_up("tiny", "7", Deadline.after(20))
    assert listed(engine) == ["tiny 1", "tiny 2"]
    with pytest.raises(DeadlineExceeded):
        await engine.catch_up("tiny", "8", Deadline.after(0))
    await engine.close()


async def test_a_folder_that_may_not_be_looked_into_keeps_nothing_from_being_served(
    repository: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (repository / "lost+found").mkdir()
    forbid(repository / "lost+found", monkeypatch)
    engine = following(repository)
    await engine.start()
    publish_tiny(repository, version="2")
    await until(lambda: listed(engine) == ["tiny 1", "tiny 2"])
    await engine.close()
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "may not look into the folder lost+found" in warning


async def test_a_served_model_whose_folder_may_be_looked_into_no_more_stays_served(
    repository: Path,
    engine: EmbeddedEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    forbid(repository / "tiny", monkeypatch)
    publish_tiny(repository, name="other")
    await until(lambda: listed(engine) == ["other 1", "tiny 1"])
    assert await dog(engine, "1") == 0.5
    assert "may not look into the folder tiny" in caplog.text
