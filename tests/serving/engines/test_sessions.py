from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pawsight_serving.engines import sessions as module
from pawsight_serving.engines.providers import Threads
from pawsight_serving.engines.sessions import GraphSession, Sessions, Sharing
from pawsight_serving.errors import EngineUnavailable, OptionInvalid
from pawsight_serving.repository.directory import read_graph
from tests.serving.tiny_repository import SIDE, publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = np.zeros((1, SIDE, SIDE, 3), np.uint8)


@pytest.fixture
def graph(tmp_path: Path) -> bytes:
    return read_graph(tmp_path, publish_tiny(tmp_path), "tiny")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The sessions in the order in which they were opened, each with its threads."""
    opened, really_open = list[Any](), module._open

    def watched(model: bytes, precision: str, threads: Threads) -> Any:
        session = really_open(model, precision, threads)
        opened.append((threads, session))
        return session

    monkeypatch.setattr(module, "_open", watched)
    return opened


def load(graph: bytes, sessions: Sessions, *, calls: int = 4, processors: int = 2) -> GraphSession:
    return GraphSession(graph, "fp32", (SIDE, SIDE), Sharing(calls, sessions, processors))


@pytest.mark.parametrize(
    ("sessions", "calls", "threads"),
    [
        ("latency", 4, [Threads(1, 2)]),
        ("throughput", 4, [Threads(2, 1)]),
        ("both", 4, [Threads(1, 2), Threads(2, 1)]),
        # One call at a time never has another beside it.
        ("both", 1, [Threads(1, 2)]),
    ],
)
def test_a_graph_is_held_for_whom_it_serves(
    graph: bytes, opened: list[Any], sessions: Sessions, calls: int, threads: list[Threads]
) -> None:
    load(graph, sessions, calls=calls)
    assert [each for each, _ in opened] == threads


def test_a_lone_call_gets_all_and_calls_beside_others_one_each(
    graph: bytes, opened: list[Any]
) -> None:
    loaded = load(graph, "both")
    assert [loaded._lone, loaded._crowd] == [session for _, session in opened]
    alone, beside = (loaded.run(IMAGE, ["probabilities"], alone=each) for each in (True, False))
    assert np.array_equal(alone[0], beside[0])


def test_a_gpu_is_not_divided(
    graph: bytes, opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GPU_PROVIDERS", {"CPUExecutionProvider"})
    load(graph, "both")
    assert len(opened) == 1


def test_threads_are_those_of_the_settings(graph: bytes, opened: list[Any]) -> None:
    load(graph, "both", processors=2)
    numbers = [session.get_session_options().intra_op_num_threads for _, session in opened]
    assert numbers == [2, 1]


def test_what_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="cannot load or run it"):
        load(b"no ONNX file", "latency")
    no_number = read_graph(tmp_path, publish_tiny(tmp_path, bias=float("nan")), "tiny")
    with pytest.raises(EngineUnavailable, match="not finite"):
        load(no_number, "latency")


def test_other_pictures_and_outputs_are_refused(graph: bytes) -> None:
    loaded = load(graph, "latency")
    with pytest.raises(OptionInvalid):
        loaded.run(np.zeros((1, 3, 3, 3), np.uint8), ["probabilities"], alone=True)
    with pytest.raises(OptionInvalid):
        loaded.run(IMAGE, ["nothing"], alone=True)
