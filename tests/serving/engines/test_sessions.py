from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pawsight_serving.engines import opening as module
from pawsight_serving.engines.sessions import GraphSession
from pawsight_serving.engines.sharing import Cores, Sharing
from pawsight_serving.errors import EngineUnavailable, OptionInvalid
from pawsight_serving.execution_providers import Threads
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

    def watched(model: bytes, precision: str, sharing: Sharing) -> Any:
        session = really_open(model, precision, sharing)
        opened.append((sharing.threads, session))
        return session

    monkeypatch.setattr(module, "_open", watched)
    return opened


def load(graph: bytes, cores: Cores = "all", *, calls: int = 4) -> GraphSession:
    return GraphSession(graph, "fp32", (SIDE, SIDE), Sharing(calls, cores, processors=2))


@pytest.mark.parametrize(
    ("cores", "calls", "threads"),
    [
        ("all", 4, Threads(1, 2)),
        ("one", 4, Threads(2, 1)),
        # Where one call runs at a time, a second stream would rest.
        ("one", 1, Threads(1, 1)),
    ],
)
def test_calls_share_the_cores_as_was_set(
    graph: bytes, opened: list[Any], cores: Cores, calls: int, threads: Threads
) -> None:
    load(graph, cores, calls=calls)
    ((seen, session),) = opened
    assert seen == threads
    assert session.get_session_options().intra_op_num_threads == threads.each


def test_calls_in_one_batch_are_answered_each_for_itself(graph: bytes) -> None:
    loaded = load(graph)
    calls = [np.full((count, SIDE, SIDE, 3), 40 * count, np.uint8) for count in (1, 3, 1)]
    alone = [loaded.run(images, loaded.output_names) for images in calls]
    for one, other in zip(alone, loaded.run_each(calls), strict=True):
        assert not isinstance(other, Exception)
        assert one.keys() == other.keys()
        assert all(np.allclose(one[name], other[name], atol=1e-6) for name in one)


def test_what_is_wrong_with_one_of_a_batch_is_its_own(graph: bytes) -> None:
    loaded = load(graph)
    sound, misshapen, last = loaded.run_each([IMAGE, np.zeros((1, 3, 3, 3), np.uint8), IMAGE])
    assert isinstance(misshapen, OptionInvalid)
    for each in (sound, last):
        assert not isinstance(each, Exception)
        assert each["probabilities"].shape == (1, 2)


@pytest.mark.parametrize(
    ("warm_batches", "in_parts", "sizes"),
    [(True, False, [1, 3]), (False, False, [1, 1]), (False, True, [1])],
)
def test_loading_runs_no_more_than_shows_a_broken_graph(
    graph: bytes,
    monkeypatch: pytest.MonkeyPatch,
    warm_batches: bool,
    in_parts: bool,
    sizes: list[int],
) -> None:
    ran, really_open = list[int](), module.open_graph

    class Watched:
        def __init__(self, *arguments: Any, in_parts: bool) -> None:
            self._session = really_open(*arguments, in_parts=in_parts)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._session, name)

        def run(self, outputs: Any, inputs: dict[str, Any]) -> Any:
            ran.append(len(inputs["image"]))
            return self._session.run(outputs, inputs)

    monkeypatch.setattr("pawsight_serving.engines.sessions.open_graph", Watched)
    sharing = Sharing(largest_batch=3, warm_batches=warm_batches)
    GraphSession(graph, "fp32", (SIDE, SIDE), sharing, in_parts=in_parts)
    assert ran == sizes


@pytest.mark.parametrize(
    ("provider", "largest", "sizes"),
    [
        ("CPUExecutionProvider", None, [1, 2, 3, 4, 5, 6]),
        ("CPUExecutionProvider", 3, [1, 2, 3]),
        ("OpenVINOExecutionProvider", None, [1, 4, 8]),
        ("OpenVINOExecutionProvider", 16, [1, 4, 8, 16]),
        ("OpenVINOExecutionProvider", 8, [1, 4, 8]),
        ("OpenVINOExecutionProvider", 6, [1, 4, 6]),
        ("OpenVINOExecutionProvider", 4, [1, 4]),
        ("OpenVINOExecutionProvider", 3, [1, 3]),
        ("OpenVINOExecutionProvider", 1, [1]),
    ],
)
def test_openvino_meets_few_sizes(
    graph: bytes,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    largest: int | None,
    sizes: list[int],
) -> None:
    really_open = module._open

    class Provided:
        def __init__(self, *arguments: Any) -> None:
            self._session = really_open(*arguments)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._session, name)

        def get_providers(self) -> list[str]:
            return [provider]

    monkeypatch.setattr(module, "_open", Provided)
    loaded = GraphSession(graph, "fp32", (SIDE, SIDE), Sharing(largest_batch=largest))
    assert list(loaded.batch_sizes) == sizes


def test_what_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="cannot load or run it"):
        load(b"no ONNX file")
    no_number = read_graph(tmp_path, publish_tiny(tmp_path, bias=float("nan")), "tiny")
    with pytest.raises(EngineUnavailable, match="not finite"):
        load(no_number)


def test_other_pictures_and_outputs_are_refused(graph: bytes) -> None:
    loaded = load(graph)
    with pytest.raises(OptionInvalid):
        loaded.run(np.zeros((1, 3, 3, 3), np.uint8), ["probabilities"])
    with pytest.raises(OptionInvalid):
        loaded.run(IMAGE, ["nothing"])


def test_on_a_gpu_every_size_has_a_session_of_its_own(
    graph: bytes, opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), np.uint8)
    expected = load(graph).run(images, ["probabilities", "gradcam"])
    opened.clear()
    monkeypatch.setattr(module, "GPU_PROVIDERS", {"CPUExecutionProvider"})

    loaded = GraphSession(graph, "fp32", (SIDE, SIDE), Sharing(largest_batch=4))

    assert len(opened) == 2
    assert loaded.output_names == ("probabilities", "gradcam")
    for name, values in loaded.run(images, ["probabilities", "gradcam"]).items():
        np.testing.assert_allclose(values, expected[name], atol=1e-6)
