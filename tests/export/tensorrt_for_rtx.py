"""TensorRT for RTX, in the place of TensorRT: the same reader and builder, without a GPU.

NVIDIA's package `tensorrt` fetches its libraries from outside the package index, so tests cannot
have it. The libraries of TensorRT for RTX come with an execution provider of ONNX Runtime, their
Python bindings as a package; they have the interface of TensorRT 11, and build plans for GPUs that
are not there.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_LIBRARIES = ("libtensorrt_rtx.so.*", "libtensorrt_onnxparser_rtx.so.*")


def load_tensorrt_for_rtx() -> ModuleType:
    """Return a module as `tensorrt` is, whose plans are for another machine's GPU.

    It remembers its builders, and each of them its optimisation profiles and whether it was to
    compute in TF32.

    The test is skipped where the packages are not there, as on other processors than x86-64.
    """
    found = importlib.util.find_spec("onnxruntime_ep_nv_tensorrt_rtx")
    bindings = importlib.util.find_spec("tensorrt_rtx_bindings")
    if found is None or found.origin is None or bindings is None:
        pytest.skip("TensorRT for RTX is not installed")
    for pattern in _LIBRARIES:
        (library,) = Path(found.origin).parent.glob(pattern)
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    rtx = importlib.import_module("tensorrt_rtx_bindings")

    module = ModuleType("tensorrt")
    module.__dict__.update(vars(rtx))
    builders: list[_Builder] = []

    def builder(logger: Any) -> _Builder:
        builders.append(_Builder(rtx, logger))
        return builders[-1]

    module.__dict__.update(Builder=builder, builders=builders)
    return module


class _Builder:
    """Builds for a GPU of 2020 wherever it runs; not derived, as bindings' classes cannot be."""

    def __init__(self, rtx: Any, logger: Any) -> None:
        self._rtx, self._builder = rtx, rtx.Builder(logger)
        self.profiles: list[Any] = []
        self.in_tf32: bool | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def create_optimization_profile(self) -> Any:
        self.profiles.append(self._builder.create_optimization_profile())
        return self.profiles[-1]

    def create_builder_config(self) -> Any:
        config = self._builder.create_builder_config()
        config.num_compute_capabilities = 1
        config.set_compute_capability(self._rtx.ComputeCapability.SM80, 0)
        return config

    def build_serialized_network(self, network: Any, config: Any) -> Any:
        self.in_tf32 = config.get_flag(self._rtx.BuilderFlag.TF32)
        return self._builder.build_serialized_network(network, config)
