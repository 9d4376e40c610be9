from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import onnx
import pytest

from pawsight_export.errors import PlanNotBuilt
from pawsight_export.staging import stage_graph
from pawsight_export.tensorrt_plan import build_plan
from tests.serving.tiny_repository import SIDE, publish_tiny

if TYPE_CHECKING:
    from pathlib import Path


class FakeTensorRT:
    """Writes down what it is asked for; see NVIDIA's Python API."""

    def __init__(self, *, reads: bool = True, builds: bool = True) -> None:
        self.reads, self.builds = reads, builds
        self.flags: set[str] = set()
        self.profiles: list[tuple[Any, ...]] = []
        module: Any = ModuleType("tensorrt")
        module.Logger = type("Logger", (), {"WARNING": 1, "__init__": lambda *_: None})
        module.Builder = lambda logger: self
        module.OnnxParser = lambda network, logger: self
        module.NetworkDefinitionCreationFlag = SimpleNamespace()
        module.MemoryPoolType = SimpleNamespace(WORKSPACE="workspace")
        module.BuilderFlag = SimpleNamespace(FP16="FP16", INT8="INT8", TF32="TF32")
        self.module: ModuleType = module

    def create_network(self, flags: int) -> str:
        assert flags == 0
        return "network"

    def parse(self, model: bytes) -> bool:
        return self.reads

    def create_builder_config(self) -> FakeTensorRT:
        self.flags = {"TF32"}
        return self

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        assert (pool, size) == ("workspace", 4 << 30)

    def set_flag(self, flag: str) -> None:
        self.flags.add(flag)

    def clear_flag(self, flag: str) -> None:
        self.flags.discard(flag)

    def create_optimization_profile(self) -> Any:
        return SimpleNamespace(set_shape=lambda *shape: self.profiles.append(shape))

    def add_optimization_profile(self, profile: Any) -> None:
        assert self.profiles

    def build_serialized_network(self, network: str, config: Any) -> bytearray | None:
        return bytearray(b"plan") if self.builds else None


def install(monkeypatch: pytest.MonkeyPatch, fake: FakeTensorRT) -> FakeTensorRT:
    monkeypatch.setitem(sys.modules, "tensorrt", fake.module)
    return fake


@pytest.mark.parametrize(
    ("precision", "flags"),
    [("fp32", set()), ("fp16", {"TF32", "FP16"}), ("int8", {"TF32", "FP16", "INT8"})],
)
def test_a_plan_has_a_profile_for_each_batch(
    monkeypatch: pytest.MonkeyPatch, precision: str, flags: set[str]
) -> None:
    fake = install(monkeypatch, FakeTensorRT())
    assert build_plan(b"model", (9, 8), precision=precision, largest=16) == b"plan"
    assert fake.flags == flags
    assert fake.profiles == [
        ("image", (1, 9, 8, 3), (most, 9, 8, 3), (most, 9, 8, 3)) for most in (1, 8, 16)
    ]


@pytest.mark.parametrize("broken", [{"reads": False}, {"builds": False}])
def test_what_cannot_be_built_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, broken: dict[str, bool]
) -> None:
    install(monkeypatch, FakeTensorRT(**broken))
    with pytest.raises(PlanNotBuilt, match="TensorRT c"):
        build_plan(b"model", (9, 8), precision="fp16", largest=16)


def test_without_tensorrt_it_is_said_where_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(PlanNotBuilt, match="pip install tensorrt"):
        build_plan(b"model", (9, 8), precision="fp16", largest=16)


def test_a_plan_is_staged_in_the_graphs_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = install(monkeypatch, FakeTensorRT())
    publish_tiny(tmp_path)
    model = onnx.load(tmp_path / "tiny" / "1" / "model.onnx")
    graph = stage_graph(tmp_path / "staged", "tiny", "2", model, "tensorrt", "fp16")
    assert graph.file == "model.plan"
    assert (tmp_path / "staged" / "tiny" / "2" / "model.plan").read_bytes() == b"plan"
    assert fake.profiles[-1] == ("image", (1, SIDE, SIDE, 3), *[(32, SIDE, SIDE, 3)] * 2)
    assert graph.outputs == {"probabilities": (2,), "gradcam": (2, 2, 2)}
