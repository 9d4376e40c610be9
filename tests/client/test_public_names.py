"""What `pawsight_client` offers."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import get_type_hints

import pytest
from pydantic import TypeAdapter

import pawsight_client
from pawsight_client import Prediction, _errors


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


@pytest.mark.parametrize("name", pawsight_client.__all__)
def test_annotations_can_be_read_at_run_time_as_pydantic_and_fastapi_do(name: str) -> None:
    public = getattr(pawsight_client, name)
    if not isinstance(public, type):
        return
    get_type_hints(public)
    for method in ("__init__", *(each for each in vars(public) if not each.startswith("_"))):
        if inspect.isfunction(function := getattr(public, method)):
            get_type_hints(function)


def test_a_prediction_can_be_the_answer_of_a_web_framework() -> None:
    prediction = Prediction("cat", 0.75, {"cat": 0.75, "dog": 0.25}, "tiny", "1", "sha256:1", "id")
    adapter = TypeAdapter(Prediction)
    assert adapter.validate_json(adapter.dump_json(prediction)) == prediction


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
