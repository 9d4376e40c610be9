from __future__ import annotations

import asyncio
import io
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pawsight_serving.errors import DeadlineExceeded, ImageInvalid
from pawsight_serving.explainer.renderer import Renderer
from pawsight_serving.explanations.queries import Drawing
from pawsight_serving.explanations.rendering import drawing
from pawsight_serving.explanations.rendering.drawing import Painter
from pawsight_serving.explanations.results import (
    ActivationMaps,
    ChannelMap,
    ClassMap,
    Explained,
    Explanation,
)
from pawsight_serving.pictures.reading import PictureLimits, open_picture
from pawsight_serving.predictions import Prediction, Predictions
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.threads.thread_pool import ThreadPool
from tests.serving.fakes import picture
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pawsight_serving.explanations.results import Maps

PICTURES = [picture(size=(40, 20)), picture(size=(20, 40))]


HEAT = ClassMap("conv1", "cat", np.eye(3, dtype=np.float32))
GRID = ActivationMaps("conv1", [ChannelMap(0, np.eye(3, dtype=np.float32))])


def explained(per_picture: int, pictures: int = 2, maps: Maps = HEAT) -> Explained:
    found = Explanation(maps, 0.75)
    return of_tiny([found] * pictures * per_picture, pictures)


def of_tiny(explanations: list[Explanation], pictures: int) -> Explained:
    cat = Prediction("cat", 0.75, {"cat": 0.75, "dog": 0.25})
    predictions = Predictions("tiny", "1", "sha256:a", [cat] * pictures)
    return Explained("grad-cam", predictions, "0", "fp32", explanations)


@pytest.fixture
def workers() -> Iterator[ThreadPool]:
    workers = ThreadPool(2, "render")
    yield workers
    workers.close()


@pytest.fixture
def drawings(workers: ThreadPool) -> Renderer:
    return Renderer(workers, PictureLimits(), 64)


async def test_each_explanation_has_a_drawing_over_its_own_picture(drawings: Renderer) -> None:
    drawn = await drawings.draw(explained(2), Drawing(), PICTURES, Deadline.after(10))
    sizes = [Image.open(io.BytesIO(each.drawing)).size for each in drawn.explanations]
    assert sizes == [(40, 20), (40, 20), (20, 40), (20, 40)]
    assert drawn.sheets == ()


@pytest.mark.parametrize("count", [2, 3, 5])
async def test_the_drawings_of_one_picture_are_in_order(drawings: Renderer, count: int) -> None:
    maps = [np.roll(np.eye(6, dtype=np.float32), number, axis=1) for number in range(count)]
    explanations = [Explanation(ClassMap("conv1", "cat", values)) for values in maps]
    drawn = await drawings.draw(
        of_tiny(explanations, 1), Drawing(), PICTURES[:1], Deadline.after(10)
    )
    painter = Painter(PICTURES[0], Drawing(), PictureLimits(), 64, lambda: None)
    assert [each.drawing for each in drawn.explanations] == painter.each(explanations)


async def test_the_drawings_of_one_picture_are_made_side_by_side(
    drawings: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)
    draw = Painter._file

    def meeting(self: Painter, drawn: Image.Image) -> bytes:
        both.wait(10)
        return draw(self, drawn)

    monkeypatch.setattr(Painter, "_file", meeting)
    drawn = await drawings.draw(explained(4, 1), Drawing(), PICTURES[:1], Deadline.after(60))
    assert all(each.drawing for each in drawn.explanations)


@pytest.mark.parametrize(("maps", "times"), [(HEAT, 1), (GRID, 0)])
async def test_one_picture_is_decoded_once_and_only_to_be_drawn_over(
    drawings: Renderer, monkeypatch: pytest.MonkeyPatch, maps: Maps, times: int
) -> None:
    decoding: list[str] = []

    def counted(*arguments: Any, **options: Any) -> Image.Image:
        decoding.append(threading.current_thread().name)
        return open_picture(*arguments, **options)

    monkeypatch.setattr(drawing, "open_picture", counted)
    await drawings.draw(explained(5, 1, maps), Drawing(), PICTURES[:1], Deadline.after(10))
    assert [name.partition("_")[0] for name in decoding] == ["render"] * times


async def test_one_picture_that_cannot_be_read_is_an_error(drawings: Renderer) -> None:
    with pytest.raises(ImageInvalid):
        await drawings.draw(explained(3, 1), Drawing(), [b"none"], Deadline.after(10))


async def test_each_picture_has_a_sheet(drawings: Renderer) -> None:
    drawn = await drawings.draw(explained(2), Drawing(sheet=True), PICTURES, Deadline.after(10))
    widths = [Image.open(io.BytesIO(sheet)).width for sheet in drawn.sheets]
    assert len(widths) == 2
    assert widths[0] > widths[1]
    assert not any(each.drawing for each in drawn.explanations)


async def test_all_maps_of_one_picture_share_its_sheet(drawings: Renderer) -> None:
    drawn = await drawings.draw(
        explained(3, 1), Drawing(sheet=True), PICTURES[:1], Deadline.after(10)
    )
    (sheet,) = drawn.sheets
    assert Image.open(io.BytesIO(sheet)).width == 4 * (220 + 14) + 14


async def test_a_picture_is_opened_before_threads_share_it(
    drawings: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    open_, file = Painter.open, Painter._file

    def opening(self: Painter, explanations: list[Explanation]) -> None:
        open_(self, explanations)
        done.append("opened")

    def drawing(self: Painter, drawn: Image.Image) -> bytes:
        done.append("drawn")
        return file(self, drawn)

    monkeypatch.setattr(Painter, "open", opening)
    monkeypatch.setattr(Painter, "_file", drawing)
    await drawings.draw(explained(4, 1), Drawing(), PICTURES[:1], Deadline.after(10))
    assert done == ["opened", *["drawn"] * 4]


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


@pytest.mark.parametrize("pictures", [PICTURES, PICTURES[:1]], ids=["two", "one"])
async def test_a_caller_who_leaves_ends_it_after_the_drawing_under_way(
    drawings: Renderer,
    workers: ThreadPool,
    monkeypatch: pytest.MonkeyPatch,
    pictures: list[bytes],
) -> None:
    begun, may_end = watch(monkeypatch)
    deadline = Deadline.after(10)
    wanted = explained(4, len(pictures))
    task = asyncio.create_task(drawings.draw(wanted, Drawing(), pictures, deadline))
    await until(lambda: len(begun) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_end.set()
    # Both threads are through with it once they have done something else.
    await asyncio.to_thread(workers.close)
    assert len(begun) == 2


@pytest.mark.parametrize("pictures", [PICTURES, PICTURES[:1]], ids=["two", "one"])
async def test_past_its_deadline_nothing_more_is_drawn(
    drawings: Renderer,
    workers: ThreadPool,
    monkeypatch: pytest.MonkeyPatch,
    pictures: list[bytes],
) -> None:
    begun, may_end = watch(monkeypatch)
    passed = threading.Event()

    class Passing(Deadline):
        def check(self) -> None:
            if passed.is_set():
                raise DeadlineExceeded("Late.")

    deadline = Passing(Deadline.after(10).at_s)
    wanted = explained(4, len(pictures))
    task = asyncio.create_task(drawings.draw(wanted, Drawing(), pictures, deadline))
    await until(lambda: len(begun) == 2)
    passed.set()
    may_end.set()
    with pytest.raises(DeadlineExceeded):
        await task
    await asyncio.to_thread(workers.close)
    assert len(begun) == 2
