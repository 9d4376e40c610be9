"""A load of our own, where perf_analyzer cannot run: callers that each wait for their answer."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.engines.triton import TritonEngine
from pawsight_serving.repository.catalogue import find_model
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.tuning.measurements import Load

if TYPE_CHECKING:
    from collections.abc import Sequence

_WARM_UP_S: Final = 0.3
_TIMEOUT_S: Final = 60.0


class BuiltInClient:
    """Measures a model through the Triton engine, as a gateway would load it."""

    name = "Pawsight's own client"

    async def measure(self, address: str, model: str, callers: int, seconds: float) -> Load:
        """Return how a model does under so many callers, over `seconds`.

        Raises:
            EngineUnavailable, Overloaded: the server does not answer, or refuses.
        """
        engine = TritonEngine(address, graphs="hot")
        await engine.start()
        try:
            manifest = find_model(engine.manifests(), model)
            shape = (1, *manifest.input_size, 3)
            image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

            async def call(until_s: float) -> list[tuple[float, float]]:
                """Return when each answer came and how long it took."""
                times = []
                while (started_s := time.perf_counter()) < until_s:
                    await engine.infer(
                        model,
                        manifest.version,
                        image,
                        ("probabilities", "gradcam"),
                        Deadline.after(_TIMEOUT_S),
                    )
                    ended_s = time.perf_counter()
                    times.append((ended_s, ended_s - started_s))
                return times

            begin_s = time.perf_counter() + _WARM_UP_S
            until_s = begin_s + seconds
            calls = [asyncio.ensure_future(call(until_s)) for _ in range(callers)]
            try:
                answers = [each for times in await asyncio.gather(*calls) for each in times]
            finally:
                for each in calls:
                    each.cancel()
            return summary(answers, callers, begin_s, max(until_s, time.perf_counter()))
        finally:
            await engine.close()


def summary(
    answers: Sequence[tuple[float, float]], callers: int, begin_s: float, end_s: float
) -> Load:
    """Return the rate and the latencies of the answers that came after the warm-up.

    Args:
        answers: when each came and how long it took, in seconds.
        callers: how many asked at once.
        begin_s: end of the warm-up.
        end_s: when the last answer had come.
    """
    taken_s = [taken for ended, taken in answers if ended > begin_s] or [end_s - begin_s]
    p50_ms, p99_ms = np.percentile(taken_s, (50, 99)) * 1e3
    return Load(callers, len(taken_s) / (end_s - begin_s), float(p50_ms), float(p99_ms))
