"""HTTP by httpx, the only module that touches it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import httpx

from pawsight_client import _errors as errors
from pawsight_client._operations import ListModels
from pawsight_client._transports import http_codec as codec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pawsight_client._operations import Operation, Predict, T
    from pawsight_client._results import Prediction
    from pawsight_client._tls import Tls

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
}
_SENTENCES: Final = {
    errors.ServerUnreachable: "No server answers at {url}; check its address and that it runs.",
    errors.DeadlineExceeded: "No answer came in time; allow more time or send less.",
    errors.AnswerInvalid: "The answer of {url} cannot be read; check the server's URL.",
    errors.OptionInvalid: "{url} is not the URL of a server; write http://localhost:8080.",
}


@contextlib.contextmanager
def _errors_named(url: str) -> Iterator[None]:
    try:
        yield
    except tuple(ERRORS) as error:
        kind = next(ERRORS[base] for base in type(error).__mro__ if base in ERRORS)
        raise kind(_SENTENCES[kind].format(url=url)) from error


class HttpTransport:
    """The synchronous transport."""

    def __init__(self, url: str, api_key: str | None, tls: Tls | None = None) -> None:
        self._url = url
        with _errors_named(url):
            self._http = httpx.Client(**_settings(url, api_key, tls))
        self._default_model = ""

    def send(self, operation: Operation[T], timeout_s: float) -> T:
        if not codec.lacks_model(operation):
            return self._exchange(operation, timeout_s)
        ends_s = time.monotonic() + timeout_s
        if not (default := self._default_model):
            served = self._exchange(ListModels(), timeout_s)
            default = self._default_model = codec.default_model(served)
        named = codec.with_model(operation, default)
        try:
            return self._exchange(named, max(0.001, ends_s - time.monotonic()))
        except errors.ModelNotFound:
            self._default_model = ""  # it is served no more; the next call asks for the new one
            raise

    def _exchange(self, operation: Operation[T], timeout_s: float) -> T:
        with _errors_named(self._url):
            response = self._http.request(**_arguments(operation, timeout_s))
        return codec.read(operation, response.status_code, response.headers, response.content)

    def open_stream(self, timeout_s: float, in_flight: int) -> HttpStream:
        return HttpStream(self, timeout_s, in_flight)

    def close(self) -> None:
        self._http.close()


class HttpStream:
    """Requests side by side, each in a thread."""

    def __init__(self, transport: HttpTransport, timeout_s: float, in_flight: int) -> None:
        self._transport = transport
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(in_flight, thread_name_prefix="pawsight-client")
        self._waiting: deque[Future[Prediction]] = deque()

    def put(self, operation: Predict) -> None:
        self._waiting.append(self._threads.submit(self._transport.send, operation, self._timeout_s))

    def get(self) -> Prediction:
        return self._waiting.popleft().result()

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)


class AsyncHttpTransport:
    """The asynchronous transport."""

    def __init__(self, url: str, api_key: str | None, tls: Tls | None = None) -> None:
        self._url = url
        with _errors_named(url):
            self._http = httpx.AsyncClient(**_settings(url, api_key, tls))
        self._default_model = ""

    async def send(self, operation: Operation[T], timeout_s: float) -> T:
        if not codec.lacks_model(operation):
            return await self._exchange(operation, timeout_s)
        ends_s = time.monotonic() + timeout_s
        if not (default := self._default_model):
            served = await self._exchange(ListModels(), timeout_s)
            default = self._default_model = codec.default_model(served)
        named = codec.with_model(operation, default)
        try:
            return await self._exchange(named, max(0.001, ends_s - time.monotonic()))
        except errors.ModelNotFound:
            self._default_model = ""  # it is served no more; the next call asks for the new one
            raise

    async def _exchange(self, operation: Operation[T], timeout_s: float) -> T:
        with _errors_named(self._url):
            response = await self._http.request(**_arguments(operation, timeout_s))
        return codec.read(operation, response.status_code, response.headers, response.content)

    def open_stream(self, timeout_s: float, in_flight: int) -> AsyncHttpStream:  # noqa: ARG002
        return AsyncHttpStream(self, timeout_s)

    async def close(self) -> None:
        await self._http.aclose()


class AsyncHttpStream:
    """Requests side by side, each in a task."""

    def __init__(self, transport: AsyncHttpTransport, timeout_s: float) -> None:
        self._transport = transport
        self._timeout_s = timeout_s
        self._waiting: deque[asyncio.Task[Prediction]] = deque()

    async def put(self, operation: Predict) -> None:
        self._waiting.append(asyncio.create_task(self._transport.send(operation, self._timeout_s)))

    async def get(self) -> Prediction:
        return await self._waiting.popleft()

    async def close(self) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)


def _settings(url: str, api_key: str | None, tls: Tls | None) -> dict[str, Any]:
    return {
        "verify": True if tls is None else tls.context(),
        "base_url": url,
        "headers": {"Authorization": f"Bearer {api_key}"} if api_key else {},
    }


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
        "timeout": timeout_s,
    }
