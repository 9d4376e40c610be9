"""HTTP by httpx, the only module that touches it."""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx

from pawsight_client import _errors as errors
from pawsight_client._operations import ListModels
from pawsight_client._tls import UNTRUSTED, Tls
from pawsight_client._transports import http_codec as codec
from pawsight_client._transports.loop_thread import LoopThread
from pawsight_client._transports.loopback import is_loopback
from pawsight_client._transports.protocol import MOST_ANSWER_BYTES
from pawsight_client._transports.shown_url import without_password

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pawsight_client._operations import Operation, Predict, T
    from pawsight_client._results import Prediction

# The nearest ancestor that is listed decides; a test walks all of httpx's errors.
ERRORS: Final[dict[type[Exception], type[errors.PawsightError]]] = {
    httpx.ConnectTimeout: errors.ServerUnreachable,
    httpx.TimeoutException: errors.DeadlineExceeded,
    httpx.UnsupportedProtocol: errors.OptionInvalid,
    httpx.TransportError: errors.ServerUnreachable,
    httpx.HTTPError: errors.AnswerInvalid,
    httpx.StreamError: errors.AnswerInvalid,
    httpx.CookieConflict: errors.AnswerInvalid,
    httpx.InvalidURL: errors.OptionInvalid,
    UnicodeError: errors.OptionInvalid,  # of a host's name that no name on the net can be
}
# So long is the name kept that the server means where none is given; over gRPC it decides itself.
_DEFAULT_MODEL_S: Final = 10.0
_SENTENCES: Final = {
    errors.ServerUnreachable: (
        "No server answers at {url}; check that it runs, and that this is its port for HTTP."
    ),
    errors.DeadlineExceeded: errors.LATE,
    errors.AnswerInvalid: "The answer of {url} cannot be read; check the server's URL.",
    errors.OptionInvalid: "{url} is not the URL of a server; write http://localhost:8080.",
}


@contextlib.contextmanager
def _errors_named(url: str) -> Iterator[None]:
    try:
        yield
    except tuple(ERRORS) as error:
        if any(isinstance(each, ssl.SSLCertVerificationError) for each in _causes(error)):
            raise errors.CertificateUntrusted(UNTRUSTED.format(url=url)) from error
        kind = next(ERRORS[base] for base in type(error).__mro__ if base in ERRORS)
        raise kind(_SENTENCES[kind].format(url=url)) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class AsyncHttpTransport:
    """The asynchronous transport."""

    def __init__(self, url: str, api_key: str | None, tls: Tls | None = None) -> None:
        self.url = without_password(url)
        self._http = _http(url, api_key, tls)
        self._default_model, self._asked_s = "", -math.inf

    async def send(self, operation: Operation[T], timeout_s: float) -> T:
        ends_s = time.monotonic() + timeout_s
        try:
            # httpx counts each read anew: a server that trickles would hold its caller for hours.
            async with asyncio.timeout(timeout_s):
                return await self._of_model(operation, ends_s)
        except TimeoutError as error:
            raise errors.DeadlineExceeded(errors.LATE) from error

    async def _of_model(self, operation: Operation[T], ends_s: float) -> T:
        if not codec.lacks_model(operation):
            return await self._exchange(operation, ends_s)
        if self._default_model and time.monotonic() - self._asked_s < _DEFAULT_MODEL_S:
            # Where it is no longer served, another one is the default.
            with contextlib.suppress(errors.ModelNotFound):
                return await self._exchange(
                    codec.with_model(operation, self._default_model), ends_s
                )
        served = await self._exchange(ListModels(), ends_s)
        self._default_model = codec.default_model(served)
        self._asked_s = time.monotonic()
        return await self._exchange(codec.with_model(operation, self._default_model), ends_s)

    async def _exchange(self, operation: Operation[T], ends_s: float) -> T:
        remaining_s = max(0.001, ends_s - time.monotonic())
        with _errors_named(self.url):
            async with self._http.stream(**_arguments(operation, remaining_s)) as response:
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > MOST_ANSWER_BYTES:
                        raise errors.AnswerInvalid(
                            f"The answer of {self.url} is too large; check the server's URL."
                        )
        return codec.read(operation, response.status_code, response.headers, bytes(body))

    def open_stream(self, timeout_s: float, in_flight: int) -> AsyncHttpStream:  # noqa: ARG002
        return AsyncHttpStream(self, timeout_s)

    async def close(self) -> None:
        # A loop that has ended took its connections along.
        with contextlib.suppress(RuntimeError):
            await self._http.aclose()


class AsyncHttpStream:
    """Requests side by side, each in a task."""

    def __init__(self, transport: AsyncHttpTransport, timeout_s: float) -> None:
        self._transport = transport
        self._timeout_s = timeout_s
        self._waiting: deque[asyncio.Task[Prediction]] = deque()

    async def put(self, operation: Predict) -> None:
        task = asyncio.create_task(self._transport.send(operation, self._timeout_s))
        task.add_done_callback(_noticed)
        self._waiting.append(task)

    async def get(self) -> Prediction:
        return await self._waiting.popleft()

    def give_up(self) -> None:
        for task in self._waiting:
            task.cancel()

    async def close(self) -> None:
        self.give_up()
        await asyncio.gather(*self._waiting, return_exceptions=True)


def _noticed(task: asyncio.Task[Prediction]) -> None:
    """Take note of how a task ended: asyncio would log the failure of a picture given up on."""
    if not task.cancelled():
        task.exception()


class HttpTransport:
    """The synchronous transport: the asynchronous one, on a loop of its own.

    httpx has no bound on a synchronous request as a whole; a coroutine can be cancelled wherever
    it is.
    """

    def __init__(self, url: str, api_key: str | None, tls: Tls | None = None) -> None:
        self._open = partial(AsyncHttpTransport, url, api_key, tls)
        self._transport, self._loop = self._open(), LoopThread()
        self.url = self._transport.url

    def send(self, operation: Operation[T], timeout_s: float) -> T:
        self._renew_after_fork()
        return self._loop.run(self._transport.send(operation, timeout_s))

    def open_stream(self, timeout_s: float, in_flight: int) -> HttpStream:
        self._renew_after_fork()
        return HttpStream(self._transport.open_stream(timeout_s, in_flight), self._loop)

    def close(self) -> None:
        self._renew_after_fork()
        with contextlib.suppress(errors.ClientClosed):
            self._loop.run(self._transport.close())
        self._loop.stop()

    def _renew_after_fork(self) -> None:
        if self._loop.inherited:
            self._transport, self._loop = self._open(), LoopThread()


class HttpStream:
    """As `PictureStream`."""

    def __init__(self, stream: AsyncHttpStream, loop: LoopThread) -> None:
        self._stream = stream
        self._loop = loop

    def put(self, operation: Predict) -> None:
        self._loop.run(self._stream.put(operation))

    def get(self) -> Prediction:
        return self._loop.run(self._stream.get())

    def close(self) -> None:
        # Garbage is collected by any thread, even by the loop's, which cannot wait for itself.
        self._loop.call_soon(self._stream.give_up)


def _http(url: str, api_key: str | None, tls: Tls | None) -> httpx.AsyncClient:
    shown = without_password(url)
    with _errors_named(shown):
        parsed = httpx.URL(url)
    settings: dict[str, Any] = {
        "verify": (tls or Tls()).context(),
        # Apart from the URL, which httpx logs.
        "base_url": shown,
        "auth": (parsed.username, parsed.password) if parsed.userinfo else None,
        "headers": {"Authorization": f"Bearer {api_key}"} if api_key else {},
        # So long may an attempt to connect take over gRPC too.
        "timeout": httpx.Timeout(None, connect=5.0),
    }
    try:
        return httpx.AsyncClient(trust_env=not is_loopback(url), **settings)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise errors.OptionInvalid(
            "The proxy that the environment names cannot be used (HTTP_PROXY, HTTPS_PROXY, "
            "ALL_PROXY, NO_PROXY); mend it, or unset it."
        ) from error


def _arguments(operation: Operation[Any], timeout_s: float) -> dict[str, Any]:
    request = codec.write(operation)
    headers = {"Accept": "application/json", "X-Request-Timeout": f"{timeout_s:.3f}"}
    if request.body:
        headers["Content-Type"] = "application/octet-stream"
    return {
        "method": request.verb,
        "url": request.path,
        "params": request.parameters,
        "content": request.body,
        "headers": headers,
    }
