"""Whatever comes, the event loop goes on: its lag is compared with the work that is done."""

from __future__ import annotations

import asyncio
import io
import statistics
import time

from PIL import Image

from pawsight_serving.deadlines import Deadline
from pawsight_serving.decoding import Decoder
from pawsight_serving.pictures import decode_picture
from pawsight_serving.settings import GatewaySettings
from pawsight_serving.workers import Workers

REQUESTS = 6


def large_picture() -> bytes:
    """Return a picture of few bytes that takes long to decode."""
    file = io.BytesIO()
    Image.new("RGBA", (2500, 2500), (200, 30, 30, 128)).save(file, "PNG", compress_level=1)
    return file.getvalue()


async def test_its_lag_under_load_is_a_fraction_of_one_pictures_decoding() -> None:
    picture = large_picture()
    started_s = time.perf_counter()
    decode_picture(picture, (150, 150))
    one_s = time.perf_counter() - started_s

    workers = Workers(2, "decode")
    decoder = Decoder(workers, GatewaySettings())
    lags = []

    async def tick() -> None:
        while True:
            before_s = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append(time.perf_counter() - before_s)

    ticking = asyncio.create_task(tick())
    await asyncio.gather(
        *(decoder.decode([picture], (150, 150), Deadline.after(60)) for _ in range(REQUESTS))
    )
    ticking.cancel()
    workers.close()
    # Were a picture decoded in the loop, each tick would wait for one at least.
    assert len(lags) > REQUESTS
    assert statistics.median(lags) < one_s / 4
