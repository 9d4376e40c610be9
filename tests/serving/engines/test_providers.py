from __future__ import annotations

from pawsight_serving.engines.providers import choose_providers, wanted_providers

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
