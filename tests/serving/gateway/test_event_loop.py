"""Whatever comes, the event loop goes on: its lag is compared with the work that is done."""

from __future__ import annotations

import asyncio
import io
import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

import grpc
import httpx
from PIL import Image

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightStub
from pawsight_serving.engines.embedded import EmbeddedEngine
from pawsight_serving.engines.sessions import GraphSession
from pawsight_serving.engines.sharing import Sharing
from pawsight_serving.pictures.decoder import Decoder
from pawsight_serving.pictures.reading import decode_picture
from pawsight_serving.requests.deadlines import Deadline
from pawsight_serving.settings import GatewaySettings
from pawsight_serving.threads.thread_pool import ThreadPool
from tests.serving.fakes import picture
from tests.serving.gateway.test_main import make_settings, running
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

REQUESTS = 6
CROWD = 50


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

    workers = ThreadPool(2, "decode")
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


async def test_a_crowd_is_refused_while_every_thread_of_the_engine_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_tiny(tmp_path)
    may_run, running_now = threading.Event(), threading.Semaphore(0)
    run = GraphSession.run

    def held(self: GraphSession, *given: Any, **named: Any) -> Any:
        running_now.release()
        may_run.wait(30)
        return run(self, *given, **named)

    settings = make_settings(default_model="tiny", max_in_flight=2, probe_interval_s=60)
    engine = EmbeddedEngine(tmp_path, graphs="hot", sharing=Sharing(calls=2))
    async with (
        asyncio.timeout(60),
        running(settings, engine) as served,
        grpc.aio.insecure_channel(str(served.grpc)) as channel,
        httpx.AsyncClient(base_url=f"http://{served.http}", timeout=20) as http,
    ):
        monkeypatch.setattr(GraphSession, "run", held)
        stub, red = PawsightStub(channel), pb.PredictRequest(images=[picture("red")])
        held_back = [asyncio.ensure_future(stub.Predict(red, timeout=30)) for _ in range(2)]
        try:
            # One thread runs the graph; the other has decoded and waits for its turn.
            assert await asyncio.to_thread(running_now.acquire, timeout=20)
            # Were a graph run in the loop, none of these would be answered.
            refused = await asyncio.gather(
                *(stub.Predict(red, timeout=20) for _ in range(CROWD)), return_exceptions=True
            )
            predict = "/v1/models/tiny:predict"
            answers = [await http.post(predict, content=picture("red")) for _ in range(3)]
            alive = await http.get("/healthz")
        finally:
            may_run.set()
        codes = {each.code() for each in refused if isinstance(each, grpc.aio.AioRpcError)}
        assert (len(refused), codes) == (CROWD, {grpc.StatusCode.RESOURCE_EXHAUSTED})
        assert [each.status_code for each in (*answers, alive)] == [429, 429, 429, 200]
        labels = [answer.predictions[0].label for answer in await asyncio.gather(*held_back)]
        assert labels == ["dog", "dog"]
