from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime as ort
import pytest

from pawsight_serving.engines import usable_providers as module
from pawsight_serving.engines.usable_providers import usable_providers

if TYPE_CHECKING:
    from collections.abc import Iterator

TENSORRT, CUDA, CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    usable_providers.cache_clear()
    yield
    usable_providers.cache_clear()


@pytest.mark.parametrize(
    ("libraries", "complaint", "usable"),
    [
        (set[str](), "", (CPU,)),
        ({"libcuda.so.1"}, "Failed to load libcublas.so.13", (CPU,)),
        ({"libcuda.so.1"}, "", (CUDA, CPU)),
        ({"libcuda.so.1", "libnvinfer.so.10"}, "", (TENSORRT, CUDA, CPU)),
    ],
    ids=["no driver", "no CUDA", "no TensorRT", "all"],
)
def test_what_is_built_in_is_usable_where_its_libraries_are(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    libraries: set[str],
    complaint: str,
    usable: tuple[str, ...],
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(ort, "preload_dlls", lambda: complaint and print(complaint))
    monkeypatch.setattr(module, "_loads", libraries.__contains__)
    assert usable_providers() == usable
    assert capsys.readouterr().out == ""


def test_a_missing_cuda_is_said_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(ort, "preload_dlls", lambda: print("Failed to load libcublas.so.13"))
    monkeypatch.setattr(module, "_loads", lambda _: True)
    usable_providers()
    assert "not used: Failed to load libcublas.so.13" in caplog.text


def test_a_build_without_a_gpu_keeps_all_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["OpenVINOExecutionProvider", CPU])
    assert usable_providers() == ("OpenVINOExecutionProvider", CPU)


def test_a_library_that_is_not_here_does_not_load() -> None:
    assert not module._loads("libnobody_has_this.so.1")
    assert module._loads("libc.so.6")
