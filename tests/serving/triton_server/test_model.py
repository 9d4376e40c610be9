"""The `model.py` of Triton's Python backend, in this process, with the backend's module faked."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pawsight_serving.execution_providers import wanted_providers
from pawsight_serving.triton_server.view import MODEL_SOURCE
from tests.serving.tiny_repository import SIDE, publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CUDA = dict(wanted_providers("fp32"))["CUDAExecutionProvider"]


class TritonModelException(Exception):
    pass


@dataclass
class Tensor:
    name: str
    values: NDArray[Any]

    def as_numpy(self) -> NDArray[Any]:
        return self.values


@dataclass
class Request:
    image: NDArray[np.uint8]
    outputs: tuple[str, ...]

    def requested_output_names(self) -> list[str]:
        return list(self.outputs)


@dataclass
class InferenceResponse:
    tensors: list[Tensor]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    utils: Any = ModuleType("triton_python_backend_utils")
    utils.TritonModelException = TritonModelException
    utils.InferenceResponse = InferenceResponse
    utils.Tensor = Tensor
    utils.get_input_tensor_by_name = lambda request, name: Tensor(name, request.image)
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", utils)
    spec = importlib.util.spec_from_file_location("backend_model", MODEL_SOURCE)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, str]:
    publish_tiny(tmp_path)
    providers = {"string_value": json.dumps(wanted_providers("fp32"))}
    return {
        "model_repository": str(tmp_path / "tiny"),
        "model_version": "1",
        "model_instance_kind": "CPU",
        "model_instance_device_id": "0",
        "model_config": json.dumps({"parameters": {"providers:1": providers}}),
    }


@pytest.fixture
def model(module: ModuleType, arguments: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(np, "__version__", "1.26.4")
    model = module.TritonPythonModel()
    model.initialize(arguments)
    return model


def picture(level: int, count: int = 1) -> NDArray[np.uint8]:
    return np.full((count, SIDE, SIDE, 3), level, np.uint8)


def test_requests_go_as_one_batch_and_come_back_apart(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, batches = model._session, list[int]()

    def run(names: list[str], inputs: dict[str, NDArray[np.uint8]]) -> list[NDArray[Any]]:
        batches.append(len(inputs["image"]))
        values: list[NDArray[Any]] = session.run(names, inputs)
        return values

    monkeypatch.setattr(model, "_session", SimpleNamespace(run=run))
    requests = [
        Request(picture(10), ("gradcam",)),
        Request(picture(20, count=3), ("gradcam", "probabilities")),
        Request(picture(30, count=2), ("probabilities",)),
    ]
    responses = model.execute(requests)
    assert batches == [6]
    assert [[t.name for t in r.tensors] for r in responses] == [
        ["gradcam"],
        ["gradcam", "probabilities"],
        ["probabilities"],
    ]
    assert [t.values.shape[0] for r in responses for t in r.tensors] == [1, 3, 3, 2]
    for response, level in zip(responses[:2], (10, 20), strict=True):
        np.testing.assert_allclose(response.tensors[0].values * 255, level, atol=0.01)


def test_numpy_2_is_refused(
    module: ModuleType, arguments: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np, "__version__", "2.0.0")
    with pytest.raises(TritonModelException, match="numpy<2"):
        module.TritonPythonModel().initialize(arguments)


def test_a_missing_onnx_runtime_is_named(
    module: ModuleType, arguments: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np, "__version__", "1.26.4")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(TritonModelException, match="no ONNX Runtime"):
        module.TritonPythonModel().initialize(arguments)


@pytest.mark.parametrize(
    ("kind", "chosen"),
    [
        ("CPU", [("CPUExecutionProvider", {})]),
        (
            "GPU",
            [
                ("CUDAExecutionProvider", {**CUDA, "device_id": "3"}),
                ("CPUExecutionProvider", {}),
            ],
        ),
    ],
)
def test_an_instance_stays_on_its_device(
    module: ModuleType, arguments: dict[str, str], kind: str, chosen: list[Any]
) -> None:
    device = {**arguments, "model_instance_kind": kind, "model_instance_device_id": "3"}
    available = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert module._providers(device, available, 2) == chosen


@pytest.mark.parametrize(
    ("groups", "threads"),
    [([{"count": 1}], 4), ([{"count": 2}], 4), ([{"count": 3}, {"count": 3}], 1), ([], 4)],
)
def test_two_instances_take_turns_and_more_share_the_processors(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, groups: list[Any], threads: int
) -> None:
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda process: {0, 1, 2, 3})
    assert module._threads({"instance_group": groups}) == threads


def test_openvino_gets_the_instances_share(module: ModuleType, arguments: dict[str, str]) -> None:
    providers = {"string_value": json.dumps(wanted_providers("int8"))}
    config = json.dumps({"parameters": {"providers:1": providers}})
    available = ["OpenVINOExecutionProvider", "CPUExecutionProvider"]
    (name, options), _ = module._providers({**arguments, "model_config": config}, available, 3)
    assert name == "OpenVINOExecutionProvider"
    assert json.loads(options["load_config"])["CPU"] == {
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": "NO",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": "3",
    }
