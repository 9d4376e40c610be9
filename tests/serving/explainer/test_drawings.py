from __future__ import annotations

import asyncio
import io
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.deadlines import Deadline
from pawsight_serving.errors import DeadlineExceeded
from pawsight_serving.explainer.drawings import Drawings
from pawsight_serving.explainer.rendering.drawing import Painter
from pawsight_serving.explanation_queries import Drawing
from pawsight_serving.explanations import ClassMap, Explained, Explanation
from pawsight_serving.pictures import PictureLimits
from pawsight_serving.predictions import Prediction, Predictions
from pawsight_serving.workers import Workers
from tests.serving.fakes import picture
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


PICTURES = [picture(size=(40, 20)), picture(size=(20, 40))]


def explained(per_picture: int) -> Explained:
    cat = Prediction("cat", 0.75, {"cat": 0.75, "dog": 0.25})
    found = Explanation(ClassMap("conv1", "cat", np.eye(3, dtype=np.float32)), 0.75)
    predictions = Predictions("tiny", "1", "sha256:a", [cat] * 2)
    return Explained("grad-cam", predictions, "0", "fp32", [found] * 2 * per_picture)


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(2, "render")
    yield workers
    workers.close()


@pytest.fixture
def drawings(workers: Workers) -> Drawings:
    return Drawings(workers, PictureLimits(), 64)


async def test_each_explanation_has_a_drawing_over_its_own_picture(drawings: Drawings) -> None:
    drawn = await drawings.draw(explained(2), Drawing(), PICTURES, Deadline.after(10))
    sizes = [Image.open(io.BytesIO(each.drawing)).size for each in drawn.explanations]
    assert sizes == [(40, 20), (40, 20), (20, 40), (20, 40)]
    assert drawn.sheets == ()


async def test_each_picture_has_a_sheet(drawings: Drawings) -> None:
    drawn = await drawings.draw(explained(2), Drawing(sheet=True), PICTURES, Deadline.after(10))
    widths = [Image.open(io.BytesIO(sheet)).width for sheet in drawn.sheets]
    assert len(widths) == 2
    assert widths[0] > widths[1]
    assert not any(each.drawing for each in drawn.explanations)


def watch(monkeypatch: pytest.MonkeyPatch) -> tuple[list[Image.Image], threading.Event]:
    """Count the drawings begun; each waits until it may end."""
    begun: list[Image.Image] = []
    may_end = threading.Event()
    draw = Painter._file

    def counted(self: Painter, drawn: Image.Image) -> bytes:
        begun.append(drawn)
        may_end.wait(10)
        return draw(self, drawn)

    monkeypatch.setattr(Painter, "_file", counted)
    return begun, may_end


async def test_a_caller_who_leaves_ends_it_after_the_drawing_under_way(
    drawings: Drawings, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = watch(monkeypatch)
    deadline = Deadline.after(10)
    task = asyncio.create_task(drawings.draw(explained(3), Drawing(), PICTURES, deadline))
    await until(lambda: len(begun) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_end.set()
    # Both threads are through with it once they have done something else.
    await asyncio.to_thread(workers.close)
    assert len(begun) == 2


async def test_past_its_deadline_nothing_more_is_drawn(
    drawings: Drawings, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = watch(monkeypatch)
    passed = threading.Event()

    class Passing(Deadline):
        def check(self) -> None:
            if passed.is_set():
                raise DeadlineExceeded("Late.")

    deadline = Passing(Deadline.after(10).at_s)
    task = asyncio.create_task(drawings.draw(explained(3), Drawing(), PICTURES, deadline))
    await until(lambda: len(begun) == 2)
    passed.set()
    may_end.set()
    with pytest.raises(DeadlineExceeded):
        await task
    await asyncio.to_thread(workers.close)
    assert len(begun) == 2
