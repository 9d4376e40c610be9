"""Publications, reloads and rollbacks under load: failed or wrong answers, and memory.

    python -m benchmarks.repository_churn [--model cats_dogs_scratch] [--changes 200]

The published model is copied into a repository of its own in two variants, whose last bias
differs, and published in turns with two versions kept; every third change is a rollback. Meanwhile
callers ask an engine that follows the folder as the gateway's does, and with the version that it
names one that follows it as the sidecar's does. Every answer is compared with what its version
answered before the load began.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from pawsight_export.publishing.publication import publish
from pawsight_serving.engines.embedded import EmbeddedEngine
from pawsight_serving.process.memory import resident_bytes
from pawsight_serving.repository.catalogue import find_model
from pawsight_serving.repository.directory import graph_path
from pawsight_serving.repository.rollback import roll_back
from pawsight_serving.repository.served import read_model, served_versions
from pawsight_serving.requests.deadlines import Deadline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest

OUTPUT: Final = "probabilities"


def main() -> None:
    """Print memory as it goes, and the counts at the end."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", default="cats_dogs_scratch")
    arguments.add_argument("--repository", type=Path, default=Path("model_repository"))
    arguments.add_argument("--changes", type=int, default=200)
    arguments.add_argument("--callers", type=int, default=4)
    options = arguments.parse_args()
    source = read_model(options.repository, options.model)
    with tempfile.TemporaryDirectory() as folder:
        churn = Churn(options.repository, source, Path(folder))
        asyncio.run(churn.run(options.changes, options.callers))


class Churn:
    """A repository that changes, and callers who count what they are answered."""

    def __init__(self, origin: Path, source: Manifest, folder: Path) -> None:
        self._source = source
        self._folder = folder
        self._repository = folder / "repository"
        self._graphs = [
            {graph: variant(graph_path(origin, source, graph), shift) for graph in source.graphs}
            for shift in (0.0, 1.0)
        ]
        shape = (1, *source.input_size, 3)
        self._image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        self._expected: list[NDArray[np.float32]] = []
        self.answers = self.failed = self.wrong = 0

    async def run(self, changes: int, callers: int) -> None:
        """Change and call; print what came of it."""
        self._publish("1")
        gateway = EmbeddedEngine(self._repository, graphs="hot", poll_s=0.05, grace_s=2.0)
        sidecar = EmbeddedEngine(self._repository, poll_s=0.1, grace_s=2.0)
        await gateway.start()
        await sidecar.start()
        await self._learn()
        done = asyncio.Event()
        calls = [asyncio.create_task(self._call(gateway, sidecar, done)) for _ in range(callers)]
        version, memory = 1, list[float]()
        print("change | newest | answers | failed | wrong | memory MB", flush=True)
        for change in range(1, changes + 1):
            if change % 3:
                version += 1
                await asyncio.to_thread(self._publish, str(version))
            else:
                await asyncio.to_thread(roll_back, self._repository, self._source.name)
            wanted = served_versions(self._repository, self._source.name)[-1]
            async with asyncio.timeout(60):
                while find_model(gateway.manifests(), self._source.name).version != wanted:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            memory.append(resident_bytes() / 1e6)
            if change % max(1, changes // 10) == 0:
                print(
                    f"{change:6} | {wanted:>6} | {self.answers:7} | {self.failed:6} | "
                    f"{self.wrong:5} | {memory[-1]:6.0f}",
                    flush=True,
                )
        done.set()
        await asyncio.gather(*calls)
        await gateway.close()
        await sidecar.close()
        third = max(1, len(memory) // 3)
        early, late = (np.median(part) for part in (memory[third : 2 * third], memory[-third:]))
        print(
            f"{changes} changes, {self.answers} answers, {self.failed} failed, {self.wrong} wrong; "
            f"memory in the second third {early:.0f} MB, in the last {late:.0f} MB "
            f"({late / early - 1:+.1%})"
        )

    def _publish(self, version: str) -> None:
        graphs = self._graphs[int(version) % 2]
        published = {
            name: graph.model_copy(update={"sha256": hashlib.sha256(graphs[name]).hexdigest()})
            for name, graph in self._source.graphs.items()
        }
        manifest = self._source.model_copy(update={"version": version, "graphs": published})
        name, staged = manifest.name, self._folder / f"staged-{version}"
        for graph, data in graphs.items():
            target = staged / graph / version
            target.mkdir(parents=True)
            (target / manifest.graphs[graph].file).write_bytes(data)
            (target / "manifest.json").write_text(manifest.model_dump_json())
        publish(staged, self._repository, name, version, keep=2)

    async def _learn(self) -> None:
        """Ask each variant once, before the load."""
        for graphs in self._graphs:
            session = onnxruntime.InferenceSession(
                graphs[self._source.name], providers=["CPUExecutionProvider"]
            )
            self._expected.append(session.run([OUTPUT], {"image": self._image})[0])

    async def _call(
        self, gateway: EmbeddedEngine, sidecar: EmbeddedEngine, done: asyncio.Event
    ) -> None:
        name = self._source.name
        while not done.is_set():
            try:
                version = find_model(gateway.manifests(), name).version
                await self._ask(gateway, name, version)
                await sidecar.catch_up(name, version, Deadline.after(30))
                find_model(sidecar.manifests(), name, version)
                await self._ask(sidecar, self._source.explain_name, version)
            except Exception as error:  # noqa: BLE001 - each one counts
                self.failed += 1
                print(f"failed: {error!r}", flush=True)

    async def _ask(self, engine: EmbeddedEngine, graph: str, version: str) -> None:
        answer = await engine.infer(graph, version, self._image, [OUTPUT], Deadline.after(30))
        expected = self._expected[int(version) % 2]
        self.answers += 1
        self.wrong += not np.allclose(answer[OUTPUT], expected, atol=1e-2)


def variant(path: Path, shift: float) -> bytes:
    """Return the graph with its logits shifted by way of the last dense layer's bias."""
    model = onnx.load(path)
    biases = [each for each in model.graph.initializer if each.name.endswith("bias")]
    bias = numpy_helper.to_array(biases[-1]) + np.float32(shift)
    biases[-1].CopyFrom(numpy_helper.from_array(bias.astype(np.float32), biases[-1].name))
    return model.SerializeToString()


if __name__ == "__main__":
    main()
