"""A graph that is a function of the pictures, and passes through it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")


@dataclass
class FunctionPasses:
    """Answers with `answer(images)`, the outputs that were asked for."""

    answer: Callable[[NDArray[np.uint8]], Mapping[str, NDArray[np.float32]]]
    asked: list[tuple[str, tuple[str, ...], int]] = field(default_factory=list)

    async def run(
        self, graph: str, images: NDArray[np.uint8], outputs: Sequence[str]
    ) -> Mapping[str, NDArray[np.float32]]:
        self.asked.append((graph, tuple(outputs), len(images)))
        values = self.answer(images)
        return {name: values[name] for name in outputs}

    async def work(self, task: Callable[[], T]) -> T:
        return task()
