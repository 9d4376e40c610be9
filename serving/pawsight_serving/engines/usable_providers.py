"""Which of ONNX Runtime's execution providers this machine can use."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import logging
from typing import Final

import onnxruntime as ort

from pawsight_serving.execution_providers import GPU_PROVIDERS

logger = logging.getLogger(__name__)

_DRIVER: Final = "libcuda.so.1"
_TENSORRT: Final = ("libnvinfer.so.10", "libnvinfer.so.11")


@functools.cache
def usable_providers() -> tuple[str, ...]:
    """Return the providers that are built in and whose libraries are here, best first.

    ONNX Runtime names all that it was built with, prints a banner on standard output for each that
    it then cannot load, and takes the next one. NVIDIA's libraries may be part of the system, as in
    a CUDA container, or Python packages, where the system's loader does not look: those are loaded.
    """
    built_in = ort.get_available_providers()
    missing: frozenset[str] = frozenset()
    if not GPU_PROVIDERS.isdisjoint(built_in):
        if not _loads(_DRIVER) or not _load_cuda():
            missing = GPU_PROVIDERS
        elif not any(map(_loads, _TENSORRT)):
            missing = frozenset({"TensorrtExecutionProvider"})
    return tuple(provider for provider in built_in if provider not in missing)


def _load_cuda() -> bool:
    """Load CUDA and cuDNN; return whether they are here."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        ort.preload_dlls()
    if missing := said.getvalue().strip():
        logger.warning("This machine has a GPU, which is not used: %s", missing.replace("\n", "; "))
    return not missing


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
