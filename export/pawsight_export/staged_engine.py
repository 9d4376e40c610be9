"""Asking a staged version as it will be served: through the embedded engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from pawsight_serving.deadlines import Deadline
from pawsight_serving.engines.embedded import EmbeddedEngine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest

_BATCH_TIMEOUT_S = 120.0


def infer_staged(
    folder: Path,
    manifest: Manifest,
    graph: str,
    pictures: NDArray[np.uint8],
    outputs: tuple[str, ...],
    *,
    batch_size: int = 8,
) -> Mapping[str, NDArray[np.float32]]:
    """Return a staged graph's outputs for pictures uint8 [N, H, W, 3], in batches."""

    async def infer() -> Mapping[str, NDArray[np.float32]]:
        engine = EmbeddedEngine(folder)
        await engine.start()
        try:
            batches = [
                await engine.infer(
                    graph,
                    manifest.version,
                    np.array(pictures[start : start + batch_size]),
                    outputs,
                    Deadline.after(_BATCH_TIMEOUT_S),
                )
                for start in range(0, len(pictures), batch_size)
            ]
        finally:
            await engine.close()
        return {name: np.concatenate([batch[name] for batch in batches]) for name in outputs}

    return asyncio.run(infer())
