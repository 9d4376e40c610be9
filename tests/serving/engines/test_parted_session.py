from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from pawsight_serving.engines.parted_session import PartedSession
from tests.serving.engines.test_graph_parts import IMAGE, chain

INPUTS: Any = {"image": IMAGE}


class Noted:
    """A session that notes which outputs it was asked for."""

    def __init__(self, model: bytes, asked: list[list[str]]) -> None:
        self._session = ort.InferenceSession(model)
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run_with_ort_values(self, outputs: Any, inputs: Any) -> Any:
        self._asked.append(list(outputs))
        return self._session.run_with_ort_values(outputs, inputs)


@pytest.fixture
def asked() -> list[list[str]]:
    return []


@pytest.fixture
def parted(asked: list[list[str]]) -> PartedSession:
    def open_noted(model: bytes) -> Any:
        return Noted(model, asked)

    return PartedSession(chain().SerializeToString(), open_noted)


@pytest.mark.parametrize(
    ("outputs", "ran"),
    [
        (["probabilities"], [["probabilities"]]),
        (["activation:a", "probabilities"], [["activation:a", "probabilities"]]),
        (
            ["probabilities", "gradcam:a"],
            [["probabilities", "activation:a", "seen"], ["gradcam:a"]],
        ),
        (
            ["gradient:input"],
            [
                ["probabilities", "activation:a", "seen"],
                ["gradcam:a", "walked"],
                ["gradient:input"],
            ],
        ),
    ],
)
def test_no_part_is_run_that_nobody_needs(
    parted: PartedSession, asked: list[list[str]], outputs: list[str], ran: list[list[str]]
) -> None:
    results = parted.run(outputs, INPUTS)
    assert asked == ran
    whole = ort.InferenceSession(chain().SerializeToString())
    for found, expected in zip(results, whole.run(outputs, INPUTS), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_all_outputs_come_in_the_files_order(parted: PartedSession) -> None:
    whole = ort.InferenceSession(chain().SerializeToString())
    names = [each.name for each in whole.get_outputs()]
    assert [each.name for each in parted.get_outputs()] == names
    assert parted.get_providers() == whole.get_providers()
    for found, expected in zip(parted.run(None, INPUTS), whole.run(None, INPUTS), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("outputs", "inputs"),
    [(["nothing"], INPUTS), (["probabilities"], {"image": np.zeros((1, 7), np.float32)})],
)
def test_what_does_not_fit_is_refused_as_by_a_whole_graph(
    parted: PartedSession, outputs: list[str], inputs: Any
) -> None:
    for session in (parted, ort.InferenceSession(chain().SerializeToString())):
        with pytest.raises(ort.capi.onnxruntime_pybind11_state.InvalidArgument):
            session.run(outputs, inputs)
