"""A load generator of its own process: so many callers, each asking again when it was answered.

It prints one line of JSON. `benchmarks/serving.py` starts it; by hand:

    python -m benchmarks.load grpc://127.0.0.1:50051 --callers 8 --seconds 10 --picture cat.jpg
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import grpc
import uvloop

from pawsight_proto.v1.pawsight_pb2 import PredictRequest, PredictResponse

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Seen:
    """What the callers saw; times in seconds."""

    codes: Counter[str] = field(default_factory=Counter)
    answered_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)

    def summary(self, seconds: float) -> dict[str, Any]:
        """Return the figures; quantiles in milliseconds."""
        return {
            "per_s": len(self.answered_s) / seconds,
            "p50_ms": quantile_ms(self.answered_s, 0.5),
            "p99_ms": quantile_ms(self.answered_s, 0.99),
            "refused_per_s": len(self.refused_s) / seconds,
            "refused_p99_ms": quantile_ms(self.refused_s, 0.99),
            "codes": dict(self.codes),
        }


class Caller(Protocol):
    """Asks once."""

    async def ask(self) -> str:
        """Return `OK` or what the server said instead."""


class GrpcCaller:
    """Over one channel."""

    def __init__(self, target: str, picture: bytes, model: str, timeout_s: float) -> None:
        self._channel = grpc.aio.insecure_channel(target, (("grpc.use_local_subchannel_pool", 1),))
        self._predict: grpc.aio.UnaryUnaryMultiCallable[Any, Any] = self._channel.unary_unary(
            "/pawsight.v1.Pawsight/Predict",
            # The request is always the same, so it is written once.
            request_serializer=None,
            response_deserializer=PredictResponse.FromString,
        )
        self._request = PredictRequest(model=model, images=[picture]).SerializeToString()
        self._timeout_s = timeout_s

    async def ask(self) -> str:
        """See `Caller.ask`."""
        try:
            await self._predict(self._request, timeout=self._timeout_s)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"


class HttpCaller:
    """Over one connection, kept open; by hand, so that little of the time is the client's."""

    def __init__(self, target: str, picture: bytes, model: str, timeout_s: float) -> None:
        self._address = target.rpartition(":")
        head = (
            f"POST /v1/models/{model}:predict HTTP/1.1\r\nhost: {target}\r\n"
            f"content-type: image/jpeg\r\nx-request-timeout: {timeout_s}\r\n"
            f"content-length: {len(picture)}\r\n\r\n"
        )
        self._request = head.encode() + picture
        self._timeout_s = timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> str:
        """See `Caller.ask`."""
        try:
            async with asyncio.timeout(self._timeout_s + 1):
                return await self._exchange()
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self._streams = None
            return type(error).__name__

    async def _exchange(self) -> str:
        if self._streams is None:
            host, _, port = self._address
            self._streams = await asyncio.open_connection(host, int(port))
        reader, writer = self._streams
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        if b"connection: close" in head:
            writer.close()
            self._streams = None
        status = head[9:12].decode()
        return "OK" if status == "200" else status


def quantile_ms(times_s: Sequence[float], share: float) -> float:
    """Return a quantile in milliseconds; 0 where nothing was measured."""
    ordered = sorted(times_s)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3 if ordered else 0.0


async def closed_loop(callers: Sequence[Caller], seconds: float, pause_s: float) -> Seen:
    """Let every caller ask again when it was answered; one that was refused waits first."""
    seen, ends_s = Seen(), time.perf_counter() + seconds

    async def call(caller: Caller) -> None:
        while (started_s := time.perf_counter()) < ends_s:
            code = await caller.ask()
            now_s = time.perf_counter()
            if now_s > ends_s:
                return
            note(seen, code, now_s - started_s)
            if code != "OK":
                await asyncio.sleep(pause_s)

    await asyncio.gather(*map(call, callers))
    return seen


async def open_loop(callers: Sequence[Caller], seconds: float, per_s: float) -> Seen:
    """Ask so often a second, whether or not answers come; callers take turns."""
    seen, tasks = Seen(), set[asyncio.Task[None]]()
    idle = asyncio.Queue[Caller]()
    for caller in callers:
        idle.put_nowait(caller)

    async def call(planned_s: float) -> None:
        caller = await idle.get()
        code = await caller.ask()
        note(seen, code, time.perf_counter() - planned_s)
        idle.put_nowait(caller)

    started_s = time.perf_counter()
    for number in range(int(seconds * per_s)):
        planned_s = started_s + number / per_s
        await asyncio.sleep(max(0.0, planned_s - time.perf_counter()))
        task = asyncio.create_task(call(planned_s))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return seen


def note(seen: Seen, code: str, took_s: float) -> None:
    """Count one answer."""
    seen.codes[code] += 1
    if code == "OK":
        seen.answered_s.append(took_s)
    else:
        seen.refused_s.append(took_s)


def main() -> None:
    """Ask, and print the figures."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("url", help="grpc://HOST:PORT or http://HOST:PORT")
    arguments.add_argument("--model", default="")
    arguments.add_argument("--picture", type=Path, required=True)
    arguments.add_argument("--callers", type=int, default=8)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--warm-up", type=float, default=1)
    arguments.add_argument("--timeout", type=float, default=10)
    arguments.add_argument("--pause", type=float, default=0.05, help="seconds after a refusal")
    arguments.add_argument("--rate", type=float, help="requests a second, answered or not")
    options = arguments.parse_args()

    scheme, _, target = options.url.partition("://")
    kinds: dict[str, type[GrpcCaller | HttpCaller]] = {"grpc": GrpcCaller, "http": HttpCaller}
    kind = kinds[scheme]

    async def run() -> dict[str, Any]:
        picture = options.picture.read_bytes()
        callers = [
            kind(target, picture, options.model, options.timeout) for _ in range(options.callers)
        ]
        await closed_loop(callers, options.warm_up, options.pause)
        if options.rate:
            seen = await open_loop(callers, options.seconds, options.rate)
        else:
            seen = await closed_loop(callers, options.seconds, options.pause)
        return seen.summary(options.seconds)

    print(json.dumps(uvloop.run(run())))


if __name__ == "__main__":
    main()
