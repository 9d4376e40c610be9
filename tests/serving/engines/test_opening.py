from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
import pytest

from pawsight_serving.engines import opening
from pawsight_serving.engines.opening import open_graph
from pawsight_serving.engines.parted_session import PartedSession
from pawsight_serving.engines.sharing import Sharing
from pawsight_serving.repository.directory import read_graph
from tests.serving.tiny_repository import EXPLAIN_OUTPUTS, SIDE, publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

SHARING = Sharing(largest_batch=1)


@pytest.fixture
def graph(tmp_path: Path) -> bytes:
    return read_graph(tmp_path, publish_tiny(tmp_path), "tiny_explain")


def test_on_a_processor_an_explain_graph_is_opened_in_parts(graph: bytes) -> None:
    parted = open_graph(graph, "fp32", SHARING, in_parts=True)
    whole = open_graph(graph, "fp32", SHARING, in_parts=False)
    assert isinstance(parted, PartedSession)
    assert isinstance(whole, ort.InferenceSession)
    assert [each.name for each in parted.get_outputs()] == list(EXPLAIN_OUTPUTS)
    images = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    answers = (session.run(None, {"image": images}) for session in (parted, whole))
    for found, expected in zip(*answers, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_bytes_are_not_held(graph: bytes) -> None:
    held = sys.getrefcount(graph)
    session = open_graph(graph, "fp32", SHARING, in_parts=False)
    assert sys.getrefcount(graph) == held
    assert session.get_providers()


def test_parts_work_in_one_arena(graph: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[ort.InferenceSession] = []
    really_open = opening._open

    def watched(
        model: bytes, precision: str, sharing: Sharing, *, is_part: bool = False
    ) -> ort.InferenceSession:
        opened.append(really_open(model, precision, sharing, is_part=is_part))
        return opened[-1]

    monkeypatch.setattr(opening, "_open", watched)
    open_graph(graph, "fp32", SHARING, in_parts=True)
    assert len(opened) == 2
    for session in opened:
        options = session.get_session_options()
        assert options.get_session_config_entry("session.use_env_allocators") == "1"


def test_elsewhere_it_stays_whole(graph: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "CPU_PROVIDER", "another")
    assert isinstance(open_graph(graph, "fp32", SHARING, in_parts=True), ort.InferenceSession)
