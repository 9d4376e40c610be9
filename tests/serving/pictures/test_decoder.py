from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_serving.errors import ImageInvalid, ImageMissing, ImageTooLarge, RequestError
from pawsight_serving.pictures.decoder import Decoder
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.settings import GatewaySettings
from pawsight_serving.threads.thread_pool import ThreadPool
from tests.serving.fakes import picture

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = (4, 6)


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    workers = ThreadPool(2, "test")
    yield Decoder(workers, GatewaySettings(max_pictures=3, max_picture_bytes=5000))
    workers.close()


async def test_pictures_become_one_batch_in_their_order(decoder: Decoder) -> None:
    pictures = [picture("red"), picture("blue"), picture("white")]
    batch = await decoder.decode(pictures, SIZE, Deadline.after(10))
    assert batch.shape == (3, 4, 6, 3)
    assert batch.dtype == np.uint8
    assert batch[:, 0, 0].tolist() == [[255, 0, 0], [0, 0, 255], [255, 255, 255]]


async def test_one_picture_is_a_batch_too(decoder: Decoder) -> None:
    batch = await decoder.decode([picture("red")], SIZE, Deadline.after(10))
    assert batch.shape == (1, 4, 6, 3)


async def test_no_picture_and_too_many_are_refused(decoder: Decoder) -> None:
    with pytest.raises(ImageMissing):
        await decoder.decode([], SIZE, Deadline.after(10))
    with pytest.raises(RequestError, match="at most 3"):
        await decoder.decode([picture()] * 4, SIZE, Deadline.after(10))


async def test_the_broken_one_of_several_is_named(decoder: Decoder) -> None:
    with pytest.raises(ImageInvalid, match=r"^Picture 2: "):
        await decoder.decode([picture(), b"nonsense"], SIZE, Deadline.after(10))
    with pytest.raises(ImageInvalid, match=r"^The bytes"):
        await decoder.decode([b"nonsense"], SIZE, Deadline.after(10))


async def test_the_servers_limits_hold(decoder: Decoder) -> None:
    with pytest.raises(ImageTooLarge, match="5000"):
        await decoder.decode([b"x" * 5001], SIZE, Deadline.after(10))
