"""The drawings of one request: how large they may become, and how they are made in threads."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from pawsight_serving.explanations.rendering.drawing import Painter, most_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.explanations.queries import Drawing
    from pawsight_serving.explanations.results import Explained, Explanation
    from pawsight_serving.pictures.reading import PictureLimits
    from pawsight_serving.predictions import Prediction
    from pawsight_serving.requests.deadlines import Deadline
    from pawsight_serving.threads.thread_pool import ThreadPool


class Renderer:
    """Draws explanations over their pictures.

    Args:
        render_threads: the threads to draw in.
        limits: byte and pixel limits of the pictures.
        max_side: pixels that an overlay's longer side may have; a larger picture is scaled.
    """

    def __init__(self, render_threads: ThreadPool, limits: PictureLimits, max_side: int) -> None:
        self._render_threads = render_threads
        self._limits = limits
        self._max_side = max_side

    def most_bytes(self, drawing: Drawing | None, shapes: Sequence[tuple[int, ...]]) -> int:
        """Return how many bytes the drawings of one picture have at most.

        Args:
            drawing: what to draw, and how; None draws nothing.
            shapes: of the picture's explanations, as `Method.shapes`.
        """
        return 0 if drawing is None else most_bytes(drawing, shapes, self._max_side)

    async def draw(
        self, explained: Explained, drawing: Drawing, pictures: Sequence[bytes], deadline: Deadline
    ) -> Explained:
        """Return the explanations with their drawings, or with a sheet for each picture.

        Nothing more is drawn once the deadline has passed or the caller has left.

        Raises:
            DeadlineExceeded: the deadline passed first.
            ImageMissing, ImageTooLarge, ImageInvalid: as `open_picture`.
        """
        per_picture = len(explained.explanations) // len(pictures)
        groups = [
            explained.explanations[start : start + per_picture]
            for start in range(0, len(explained.explanations), per_picture)
        ]
        predictions = explained.predictions
        heading = f"{predictions.model} {predictions.version}, {explained.method}"
        wanted = _Wanted(deadline)

        def painter(picture: bytes) -> Painter:
            return Painter(picture, drawing, self._limits, self._max_side, wanted.check)

        def sheet(
            picture: bytes, group: Sequence[Explanation], prediction: Prediction
        ) -> list[bytes]:
            return [painter(picture).sheet(group, heading, prediction)]

        def each(picture: bytes, group: Sequence[Explanation], _: Prediction) -> list[bytes]:
            return painter(picture).each(group)

        draw = sheet if drawing.sheet else each
        alone = len(pictures) == 1 and per_picture > 1 and not drawing.sheet
        try:
            if alone:
                drawn = [await self._side_by_side(painter(pictures[0]), groups[0], deadline)]
            else:
                # A painter keeps its picture's pixels. Of several each lives in its thread's call
                # alone, so that no more are kept at a time than there are threads.
                drawn = await self._render_threads.run_each(
                    [
                        partial(draw, *of_picture)
                        for of_picture in zip(
                            pictures, groups, predictions.predictions, strict=True
                        )
                    ],
                    deadline,
                )
        finally:
            wanted.ended = True
        files = [file for of_picture in drawn for file in of_picture]
        return explained.with_sheets(files) if drawing.sheet else explained.with_drawings(files)

    async def _side_by_side(
        self, painter: Painter, explanations: Sequence[Explanation], deadline: Deadline
    ) -> list[bytes]:
        """Draw the explanations of one picture in all threads, as many in each."""
        await self._render_threads.run(partial(painter.open, explanations), deadline)
        shares = min(self._render_threads.threads, len(explanations))
        drawn = await self._render_threads.run_each(
            [partial(painter.each, explanations[first::shares]) for first in range(shares)],
            deadline,
        )
        files = [b""] * len(explanations)
        for first, share in enumerate(drawn):
            files[first::shares] = share
        return files


class _Wanted:
    """Lets the threads that draw for a request find out whether it still wants the drawings."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self.ended = False

    def check(self) -> None:
        """Raise where the caller has left or the deadline has passed."""
        if self.ended:
            raise asyncio.CancelledError
        self._deadline.check()
