"""The asynchronous client: the same questions as the synchronous one, awaited."""

# ruff: noqa: TC001, TC003 - whoever builds on our types, as pydantic does, needs them at run time

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, overload

from pawsight_client._choices import Colormap, Method
from pawsight_client._closing import Closing
from pawsight_client._errors import OptionInvalid, PawsightError
from pawsight_client._operations import (
    ALL,
    DEFAULT_TIMEOUT_S,
    Explain,
    GetModel,
    ListModels,
    Operation,
    Predict,
    T,
    check_many,
    check_single,
    joined,
    listed,
    single,
)
from pawsight_client._pictures import Picture, encode
from pawsight_client._results import Explanation, Model, Prediction
from pawsight_client._retries import Attempts, RetryPolicy, check_client, check_timeout
from pawsight_client._tls import Tls
from pawsight_client._transports.address import open_async_transport

if TYPE_CHECKING:
    from pawsight_client._transports.protocol import AsyncPictureStream


class AsyncClient:
    """As `Client`, for the event loop that first calls it.

    Cancelling a call cancels it at the server; a call in another loop raises `OptionInvalid`.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        tls: Tls | None = None,
        timeout_s: float | None = None,
        retries: int = 2,
    ) -> None:
        check_client(timeout_s, retries)
        self._transport = open_async_transport(url, api_key, tls)
        self._timeout_s = timeout_s
        self._policy = RetryPolicy(retries)
        self._closing = Closing()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        """Return the server's URL, without key or password."""
        return f"{type(self).__name__}({self._transport.url!r})"

    async def predict(
        self,
        picture: Picture,
        *,
        model: str = "",
        version: str = "",
        timeout_s: float | None = None,
    ) -> Prediction:
        """As `Client.predict`."""
        return await self._ask(Predict(await _encoded(picture), model, version), timeout_s)

    async def explain(
        self,
        picture: Picture,
        *,
        layer: str = "",
        target: str = "",
        method: Method = "grad-cam",
        model: str = "",
        version: str = "",
        overlay: bool = True,
        alpha: float = 0.75,
        colormap: Colormap = "",
        faithfulness: bool = False,
        samples: int = 0,
        seed: int = 0,
        timeout_s: float | None = None,
    ) -> Explanation:
        """As `Client.explain`."""
        check_single(layer=layer, target=target)
        operation = Explain(
            await _encoded(picture),
            model,
            version,
            method=method,
            layer=layer,
            target=target,
            overlay=overlay,
            alpha=alpha,
            colormap=colormap,
            faithfulness=faithfulness,
            samples=samples,
            seed=seed,
        )
        return single(await self._ask(operation, timeout_s))

    async def explain_all(
        self,
        picture: Picture,
        *,
        layers: Sequence[str] = (ALL,),
        targets: Sequence[str] = (),
        method: Method = "grad-cam",
        model: str = "",
        version: str = "",
        overlay: bool = False,
        sheet: bool = False,
        alpha: float = 0.75,
        colormap: Colormap = "",
        timeout_s: float | None = None,
    ) -> tuple[Explanation, ...]:
        """As `Client.explain_all`."""
        operation = Explain(
            await _encoded(picture),
            model,
            version,
            method=method,
            layer=joined("layers", layers),
            target=joined("targets", targets),
            overlay=overlay or sheet,
            sheet=sheet,
            alpha=alpha,
            colormap=colormap,
        )
        return await self._ask(operation, timeout_s)

    async def activations(
        self,
        picture: Picture,
        *,
        layer: str,
        channels: Sequence[int] = (),
        top: int = 0,
        model: str = "",
        version: str = "",
        overlay: bool = True,
        timeout_s: float | None = None,
    ) -> Explanation:
        """As `Client.activations`."""
        check_single(layer=layer)
        operation = Explain(
            await _encoded(picture),
            model,
            version,
            method="activations",
            layer=layer,
            channels=listed(channels),
            top=top,
            overlay=overlay,
        )
        return single(await self._ask(operation, timeout_s))

    async def models(self, *, timeout_s: float | None = None) -> tuple[Model, ...]:
        """As `Client.models`."""
        return await self._ask(ListModels(), timeout_s)

    async def get_model(
        self, model: str, *, version: str = "", timeout_s: float | None = None
    ) -> Model:
        """As `Client.get_model`."""
        return await self._ask(GetModel(model, version), timeout_s)

    @overload
    def predict_many(
        self,
        pictures: Iterable[Picture] | AsyncIterable[Picture],
        *,
        model: str = "",
        version: str = "",
        in_flight: int = 16,
        on_error: Literal["raise"] = "raise",
        timeout_s: float | None = None,
    ) -> AsyncGenerator[Prediction, None]: ...

    @overload
    def predict_many(
        self,
        pictures: Iterable[Picture] | AsyncIterable[Picture],
        *,
        model: str = "",
        version: str = "",
        in_flight: int = 16,
        on_error: Literal["return"],
        timeout_s: float | None = None,
    ) -> AsyncGenerator[Prediction | PawsightError, None]: ...

    async def predict_many(
        self,
        pictures: Iterable[Picture] | AsyncIterable[Picture],
        *,
        model: str = "",
        version: str = "",
        in_flight: int = 16,
        on_error: Literal["raise", "return"] = "raise",
        timeout_s: float | None = None,
    ) -> AsyncGenerator[Prediction | PawsightError, None]:
        """As `Client.predict_many`; the pictures may come from an asynchronous iterable too."""
        limit_s = self._limit_s(timeout_s)
        check_many(pictures, in_flight, on_error)
        with self._closing.errors_named():
            stream = self._transport.open_stream(limit_s, in_flight)
        waiting: deque[Predict | PawsightError] = deque()

        async def oldest() -> Prediction | PawsightError:
            try:
                return await self._collect(stream, waiting.popleft(), limit_s)
            except PawsightError as error:
                if on_error == "raise":
                    raise
                return error

        try:
            async with aclosing(_each(pictures)) as each:
                async for picture in each:
                    if len(waiting) >= in_flight:
                        yield await oldest()
                    try:
                        operation = Predict(await _encoded(picture), model, version)
                        with self._closing.errors_named():
                            await stream.put(operation)
                        waiting.append(operation)
                    except PawsightError as error:
                        waiting.append(error)
            while waiting:
                yield await oldest()
        finally:
            await stream.close()

    async def close(self) -> None:
        """As `Client.close`."""
        self._closing.begun = True
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _limit_s(self, timeout_s: float | None, otherwise_s: float = DEFAULT_TIMEOUT_S) -> float:
        self._closing.check()
        running = asyncio.get_running_loop()
        self._loop = self._loop or running
        if self._loop is not running:
            raise OptionInvalid("The client is another event loop's; open one in each loop.")
        given = (each for each in (timeout_s, self._timeout_s) if each is not None)
        return check_timeout(next(given, otherwise_s))

    async def _collect(
        self, stream: AsyncPictureStream, sent: Predict | PawsightError, timeout_s: float
    ) -> Prediction:
        if isinstance(sent, PawsightError):
            raise sent
        attempts = Attempts(self._policy, timeout_s)
        try:
            with self._closing.errors_named():
                return await stream.get()
        except PawsightError as error:
            return await self._attempt(sent, attempts, error)

    async def _ask(self, operation: Operation[T], timeout_s: float | None) -> T:
        limit_s = self._limit_s(timeout_s, operation.default_timeout_s)
        return await self._attempt(operation, Attempts(self._policy, limit_s))

    async def _attempt(
        self,
        operation: Operation[T],
        attempts: Attempts,
        failed: PawsightError | None = None,
    ) -> T:
        while True:
            if failed:
                await asyncio.sleep(attempts.pause_s(failed))
            try:
                with self._closing.errors_named():
                    return await self._transport.send(operation, attempts.remaining_s())
            except PawsightError as error:
                failed = error


async def _encoded(picture: Picture) -> bytes:
    # Reading a file and writing a PNG would hold the event loop up; bytes are there already.
    if isinstance(picture, bytes):
        return encode(picture)
    return await asyncio.to_thread(encode, picture)


async def _each(
    pictures: Iterable[Picture] | AsyncIterable[Picture],
) -> AsyncGenerator[Picture, None]:
    if isinstance(pictures, AsyncIterable):
        async for picture in pictures:
            yield picture
    else:
        for picture in pictures:
            yield picture
