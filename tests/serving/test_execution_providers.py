from __future__ import annotations

import json

from pawsight_serving.execution_providers import Threads, choose_providers, wanted_providers

EVERY = [
    "CPUExecutionProvider",
    "OpenVINOExecutionProvider",
    "CUDAExecutionProvider",
    "TensorrtExecutionProvider",
]


def test_the_best_comes_first_and_the_cpu_last() -> None:
    assert [name for name, _ in choose_providers(EVERY, "int8")] == EVERY[::-1]


def test_openvino_is_for_int8_alone() -> None:
    for precision in ("fp32", "fp16"):
        names = [name for name, _ in wanted_providers(precision)]
        assert "OpenVINOExecutionProvider" not in names


def test_only_what_is_installed_is_chosen() -> None:
    assert choose_providers(["CPUExecutionProvider"], "int8") == [("CPUExecutionProvider", {})]


def test_openvino_gets_its_streams_and_is_not_bound_to_cores() -> None:
    (options,) = [
        options
        for name, options in wanted_providers("int8", Threads(streams=4, each=2))
        if name == "OpenVINOExecutionProvider"
    ]
    assert json.loads(options["load_config"])["CPU"] == {
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": "4",
        "INFERENCE_NUM_THREADS": "8",
        "ENABLE_CPU_PINNING": "NO",
    }


def test_a_gpu_computes_floats_as_floats() -> None:
    options = dict(wanted_providers("fp32"))["CUDAExecutionProvider"]
    assert options["use_tf32"] == "0"
