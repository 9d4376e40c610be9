"""Many pictures over one `PredictStream` call, and over another where that one breaks."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
import grpc.aio

from pawsight_client import _errors as errors
from pawsight_client._transports import grpc_codec as codec
from pawsight_proto.v1 import pawsight_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable

    from pawsight_client._operations import Predict
    from pawsight_client._results import Prediction

Answers: TypeAlias = dict[str, pb.PredictStreamResponse]


# So long a stream whose answers are all there waits for the server's status.
_STATUS_S: Final = 1.0


def _ended() -> errors.ServerUnreachable:
    return errors.ServerUnreachable("The server ended the stream early; send the rest again.")


def _end_of(error: grpc.RpcError, url: str) -> errors.PawsightError:
    """Return what the end of a call means to each picture that waits for its answer."""
    told = codec.error_of(error, url)
    # The picture over the limit may be another one, and a call that ends while a message is written
    # may say INTERNAL and lose the reason: a picture that is asked again by itself gets its own.
    if isinstance(told, errors.ImageTooLarge) or error.code() is grpc.StatusCode.INTERNAL:
        return _ended()
    return told


class GrpcStream:
    """As `PictureStream`."""

    def __init__(self, call: Callable[[Any], Any], url: str, timeout_s: float) -> None:
        self._open = partial(_Line, call, url, timeout_s)
        self._line = self._open()
        self._waiting: deque[tuple[_Line, str]] = deque()
        self._identities = map(str, itertools.count())

    def put(self, operation: Predict) -> None:
        if self._line.broken:
            self._line = self._open()
        identity = next(self._identities)
        self._waiting.append((self._line, identity))
        self._line.put(codec.write_streamed(operation, identity))

    def get(self) -> Prediction:
        line, identity = self._waiting.popleft()
        return codec.read_streamed(line.get(identity))

    def close(self) -> None:
        if not self._waiting:
            self._line.finish()
        self._line.close()


class _Line:
    """One call; a thread reads its answers, so that waiting for one can be bounded."""

    def __init__(self, call: Callable[[Any], Any], url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._url = url
        self._requests: queue.SimpleQueue[pb.PredictStreamRequest | None] = queue.SimpleQueue()
        self._arriving: queue.SimpleQueue[pb.PredictStreamResponse | errors.PawsightError] = (
            queue.SimpleQueue()
        )
        self._arrived: Answers = {}
        self.broken: errors.PawsightError | None = None
        self._call = call(iter(self._requests.get, None))
        self._reader = threading.Thread(target=self._read, name="pawsight-client", daemon=True)
        self._reader.start()

    def put(self, request: pb.PredictStreamRequest) -> None:
        self._requests.put(request)

    def get(self, identity: str) -> pb.PredictStreamResponse:
        ends_s = time.monotonic() + self._timeout_s
        while identity not in self._arrived:
            if self.broken:
                raise self.broken
            try:
                answer = self._arriving.get(timeout=max(0.0, ends_s - time.monotonic()))
            except queue.Empty:
                answer = errors.DeadlineExceeded(errors.LATE)
            if isinstance(answer, errors.PawsightError):
                self.broken = answer
                self.close()
            else:
                self._arrived[answer.id] = answer
        return self._arrived.pop(identity)

    def finish(self) -> None:
        """Say that no more will come, and wait for the status: a cancelled call counts as one."""
        self._requests.put(None)
        self._reader.join(_STATUS_S)

    def close(self) -> None:
        self._requests.put(None)
        self._call.cancel()
        self._reader.join(self._timeout_s)

    def _read(self) -> None:
        try:
            for answer in self._call:
                self._arriving.put(answer)
            self._arriving.put(_ended())
        except grpc.RpcError as error:
            self._arriving.put(_end_of(error, self._url))


class AsyncGrpcStream:
    """As `AsyncPictureStream`."""

    def __init__(self, call: Callable[[], Any], url: str, timeout_s: float) -> None:
        self._open = partial(_AsyncLine, call, url, timeout_s)
        self._line = self._open()
        self._waiting: deque[tuple[_AsyncLine, str]] = deque()
        self._identities = map(str, itertools.count())

    async def put(self, operation: Predict) -> None:
        if self._line.broken:
            self._line = self._open()
        identity = next(self._identities)
        self._waiting.append((self._line, identity))
        self._line.put(codec.write_streamed(operation, identity))

    async def get(self) -> Prediction:
        line, identity = self._waiting.popleft()
        return codec.read_streamed(await line.get(identity))

    async def close(self) -> None:
        if not self._waiting:
            await self._line.finish()
        await self._line.close()


class _AsyncLine:
    """One call; a task writes to it, so that answers are read while the server reads slowly."""

    def __init__(self, call: Callable[[], Any], url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._url = url
        self._requests: asyncio.Queue[pb.PredictStreamRequest | None] = asyncio.Queue()
        self._arrived: Answers = {}
        self.broken: errors.PawsightError | None = None
        self._call = call()
        self._writer = asyncio.create_task(self._write())

    def put(self, request: pb.PredictStreamRequest) -> None:
        self._requests.put_nowait(request)

    async def get(self, identity: str) -> pb.PredictStreamResponse:
        ends_s = time.monotonic() + self._timeout_s
        while identity not in self._arrived:
            if self.broken:
                raise self.broken
            answer = await self._next(ends_s - time.monotonic())
            if isinstance(answer, errors.PawsightError):
                self.broken = answer
                await self.close()
            else:
                self._arrived[answer.id] = answer
        return self._arrived.pop(identity)

    async def finish(self) -> None:
        """As `_Line.finish`."""
        self._requests.put_nowait(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STATUS_S):
                await asyncio.wait([self._writer])
                await self._call.code()

    async def close(self) -> None:
        self._call.cancel()
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    async def _next(self, timeout_s: float) -> pb.PredictStreamResponse | errors.PawsightError:
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._call.read()
        except TimeoutError:
            return errors.DeadlineExceeded(errors.LATE)
        except grpc.RpcError as error:
            return _end_of(error, self._url)
        # At the end comes EOF, and for bytes that are no message, None.
        return answer if isinstance(answer, pb.PredictStreamResponse) else _ended()

    async def _write(self) -> None:
        # Why a call has ended is said to its reader.
        with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError):
            while (request := await self._requests.get()) is not None:
                await self._call.write(request)
            await self._call.done_writing()
