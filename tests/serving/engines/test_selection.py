from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pawsight_serving.engines import selection
from pawsight_serving.engines.embedded import EmbeddedEngine
from pawsight_serving.engines.selection import open_engine
from pawsight_serving.engines.triton import TritonEngine
from pawsight_serving.errors import OptionInvalid, PackageMissing
from pawsight_serving.settings import GatewaySettings
from tests.serving.triton_process import NOWHERE

WITHOUT_ONNX_RUNTIME = """
import sys
sys.modules["onnxruntime"] = None
from pawsight_serving.engines.selection import open_engine
open_engine(None, "127.0.0.1:1")
"""


def test_a_folder_opens_the_embedded_engine() -> None:
    assert isinstance(open_engine(Path("anywhere")), EmbeddedEngine)


def test_an_address_opens_triton() -> None:
    assert isinstance(open_engine(None, "127.0.0.1:8001"), TritonEngine)


async def test_whoever_serves_may_be_started_before_its_triton() -> None:
    settings = GatewaySettings(triton=NOWHERE)
    engine = open_engine(None, str(settings.triton), settings=settings)
    await engine.start()
    await engine.close()


def test_nothing_named_is_refused() -> None:
    with pytest.raises(OptionInvalid, match="--repository"):
        open_engine(None)


def test_a_missing_client_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "find_spec", lambda name: None)
    with pytest.raises(PackageMissing, match=r"pip install 'pawsight\[triton\]'"):
        open_engine(None, "127.0.0.1:8001")


def test_triton_needs_no_onnx_runtime() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_ONNX_RUNTIME], check=True, timeout=60)
