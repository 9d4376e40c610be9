"""An engine without a model, whose answers can be computed in the head: red is dog, blue is cat."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.repository.catalogue import find_model
from pawsight_serving.repository.manifest import Graph, Layer, Manifest, Preprocessing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pawsight_serving.engines.protocol import Images
    from pawsight_serving.errors import PawsightError
    from pawsight_serving.requests.deadlines import Deadline

SIDE = 8
LAYERS = (
    Layer(name="conv1", kind="conv", channels=20, height=4, width=4),
    Layer(name="pool1", kind="pool", channels=20, height=2, width=2),
    Layer(name="conv2", kind="conv", channels=3, height=2, width=2),
)


def manifest(name: str = "tiny", version: str = "1") -> Manifest:
    explain = f"{name}_explain"
    outputs: dict[str, tuple[int, ...]] = {"probabilities": (2,)}
    for layer in LAYERS:
        outputs[f"activation:{layer.name}"] = (layer.channels, layer.height, layer.width)
        if layer.kind == "conv":
            outputs[f"gradcam:{layer.name}"] = (2, layer.height, layer.width)
            outputs[f"gradient:{layer.name}"] = (1, layer.channels, layer.height, layer.width)
    outputs["gradient:input"] = (1, 3, SIDE, SIDE)
    hot: dict[str, tuple[int, ...]] = {"probabilities": (2,), "gradcam": (2, 2, 2)}
    return Manifest(
        name=name,
        version=version,
        created=datetime(2026, 1, 2, tzinfo=UTC),
        architecture="fake",
        classes=("cat", "dog"),
        input_size=(SIDE, SIDE),
        preprocessing=Preprocessing(mean=(0, 0, 0), std=(1, 1, 1)),
        layers=LAYERS,
        precision="fp32",
        engine="onnxruntime",
        weights_sha256="0" * 64,
        graphs={
            name: Graph(file="model.onnx", sha256="a" * 64, outputs=hot),
            explain: Graph(file="model.onnx", sha256="b" * 64, outputs=outputs),
        },
    )


@dataclass
class FakeEngine:
    """Answers from the colours; see `Engine`.

    A map holds the share of its class's colour in every place; channel k of a layer holds k. The
    gradient of dog is one everywhere. What is `soon` comes when it is asked to catch up; what is
    `withdrawn` goes with the next call. Models that are `unserved` are broken. One that is
    `unreachable` is never asked.
    """

    served: list[Manifest] = field(default_factory=lambda: [manifest()])
    soon: list[Manifest] = field(default_factory=list)
    withdrawn: list[Manifest] = field(default_factory=list)
    unserved: dict[str, PawsightError] = field(default_factory=dict)
    failure: Exception | None = None
    prepares: bool = False
    unreachable: bool = False
    asked: list[tuple[str, str, tuple[str, ...], int]] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    asked_again: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def start(self) -> None:
        pass

    def manifests(self) -> Sequence[Manifest]:
        return self.served

    def faults(self) -> Mapping[str, PawsightError]:
        return self.unserved

    def check_reachable(self) -> None:
        if self.unreachable:
            raise EngineUnavailable("The engine is away; try again in a moment.")

    async def catch_up(self, name: str, version: str, deadline: Deadline) -> None:
        self.served += [m for m in self.soon if (m.name, m.version) == (name, version)]

    async def infer(
        self,
        graph: str,
        version: str,
        images: Images,
        outputs: Sequence[str],
        deadline: Deadline,
    ) -> Mapping[str, NDArray[np.float32]]:
        images = images() if callable(images) else images
        self.asked.append((graph, version, tuple(outputs), len(images)))
        self.asked_again.set()
        self.served = [each for each in self.served if each not in self.withdrawn]
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self.failure is not None:
            raise self.failure
        found = find_model(self.served, graph.removesuffix("_explain"), version)
        red, blue = (images[..., c].mean(axis=(1, 2)) for c in (0, 2))
        evidence = np.stack([blue, red], axis=1).astype(np.float32) / 255
        answers = {}
        for name in outputs:
            shape = found.graphs[graph].outputs[name]
            if name == "probabilities":
                answers[name] = (evidence + 1e-3) / (evidence + 1e-3).sum(axis=1, keepdims=True)
            elif name.startswith("gradcam"):
                answers[name] = np.tile(evidence[:, :, None, None], (1, 1, *shape[1:]))
            elif name.startswith("gradient"):
                answers[name] = np.ones((len(images), *shape), np.float32)
            else:
                one = np.arange(shape[0], dtype=np.float32)[:, None, None] + np.zeros(shape)
                answers[name] = np.stack([one] * len(images)).astype(np.float32)
        return answers

    async def wait_asked(self, times: int) -> None:
        """Wait until it was asked so often, within a bound."""
        async with asyncio.timeout(10):
            while len(self.asked) < times:
                self.asked_again.clear()
                await self.asked_again.wait()

    async def close(self) -> None:
        self.closed = True


def picture(colour: str = "red", size: tuple[int, int] = (32, 24), kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()
