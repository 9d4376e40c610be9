"""What `pawsight_client` offers."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pawsight_client
from pawsight_client import _errors


def test_all_is_what_is_public() -> None:
    public = {
        name
        for name, value in vars(pawsight_client).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert set(pawsight_client.__all__) == public
    assert pawsight_client.__all__ == sorted(pawsight_client.__all__)


def test_every_error_is_public() -> None:
    assert {error.__name__ for error in _errors.BY_CODE.values()} <= set(pawsight_client.__all__)


def test_importing_is_light() -> None:
    heavy = ("grpc", "httpx", "numpy", "PIL", "torch", "google.protobuf", "pawsight_serving")
    code = (
        "import sys; from pawsight_client import AsyncClient, Client; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert loaded.stdout.strip() == "[]"
