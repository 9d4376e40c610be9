"""The synchronous client."""

# ruff: noqa: TC001, TC003 - whoever builds on our types, as pydantic does, needs them at run time

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, overload

from pawsight_client._choices import Colormap, Method
from pawsight_client._closing import Closing
from pawsight_client._errors import PawsightError
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
from pawsight_client._transports.address import open_transport

if TYPE_CHECKING:
    from pawsight_client._transports.protocol import PictureStream


class Client:
    """Asks a Pawsight gateway, over gRPC or HTTP alike; fit for several threads.

    Nothing is connected before the first call. Every method raises `PawsightError` or one of its
    children, whatever went wrong; what is no picture at all is a `TypeError`.

    Args:
        url: `grpc(s)://HOST[:PORT]`, or `http(s)://HOST[:PORT][/PATH]`.
        api_key: key to send, where the server wants one.
        tls: files to trust a server by, and to be trusted by it, over `https` and `grpcs`.
        timeout_s: seconds that a call may take in all, its retries included; without it 10, and
            30 where an explanation takes many passes (occlusion, rise, smoothgrad, faithfulness).
        retries: attempts after a first one that failed because the server was overloaded or
            down; they wait a growing, random time, and at least the server's `Retry-After`.

    Raises:
        OptionInvalid: the URL is none, a file of `tls` cannot be used, or a number does not fit.
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
        self._transport = open_transport(url, api_key, tls)
        self._timeout_s = timeout_s
        self._policy = RetryPolicy(retries)
        self._closing = Closing()

    def __repr__(self) -> str:
        """Return the server's URL, without key or password."""
        return f"{type(self).__name__}({self._transport.url!r})"

    def predict(
        self,
        picture: Picture,
        *,
        model: str = "",
        version: str = "",
        timeout_s: float | None = None,
    ) -> Prediction:
        """Return what a picture shows.

        Args:
            picture: path, bytes of a file, PIL image, or uint8 array [height, width, 3], RGB.
            model: name of a served model; empty means the server's default.
            version: one of its versions; empty means the newest.
            timeout_s: seconds that this call may take in all.
        """
        return self._ask(Predict(encode(picture), model, version), timeout_s)

    def explain(
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
        """Return where in a picture the model sees a class: Grad-CAM (Selvaraju et al., 2017).

        Args:
            picture: as in `predict`.
            layer: a convolutional layer; empty means the last one.
            target: the class to explain; empty means the predicted one.
            method: another method than Grad-CAM; `Model.methods` names those that a model offers.
            model: as in `predict`.
            version: as in `predict`.
            overlay: whether the server draws the map over the picture.
            alpha: how opaque the strongest evidence covers the picture, 0 to 1.
            colormap: colours of the drawing; empty leaves them to the server.
            faithfulness: whether to measure deletion and insertion.
            samples: passes of "rise" and "smoothgrad"; 0 leaves them to the server.
            seed: of "rise" and "smoothgrad".
            timeout_s: seconds that this call may take in all.
        """
        check_single(layer=layer, target=target)
        operation = Explain(
            encode(picture),
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
        return single(self._ask(operation, timeout_s))

    def explain_all(
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
        """Return the explanations of several layers and classes, of one pass.

        Args:
            picture: as in `predict`.
            layers: names of layers; "all" means every one.
            targets: classes to explain; "all" means every one, none means the predicted one.
            method: as in `explain`.
            model: as in `predict`.
            version: as in `predict`.
            overlay: whether the server draws each map over the picture.
            sheet: whether the server draws all of them on one sheet: the `sheet_png` of each.
            alpha: as in `explain`.
            colormap: as in `explain`.
            timeout_s: seconds that this call may take in all.

        Returns:
            For each layer, for each target, in their order.
        """
        operation = Explain(
            encode(picture),
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
        return self._ask(operation, timeout_s)

    def activations(
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
        """Return what the channels of a layer respond to in a picture.

        Args:
            picture: as in `predict`.
            layer: a convolutional or pooling layer.
            channels: the channels wanted; empty means the strongest ones.
            top: how many of the strongest channels; 0 leaves it to the server.
            model: as in `predict`.
            version: as in `predict`.
            overlay: whether the server draws the grid of maps.
            timeout_s: seconds that this call may take in all.
        """
        check_single(layer=layer)
        operation = Explain(
            encode(picture),
            model,
            version,
            method="activations",
            layer=layer,
            channels=listed(channels),
            top=top,
            overlay=overlay,
        )
        return single(self._ask(operation, timeout_s))

    def models(self, *, timeout_s: float | None = None) -> tuple[Model, ...]:
        """Return the models that are served."""
        return self._ask(ListModels(), timeout_s)

    def get_model(self, model: str, *, version: str = "", timeout_s: float | None = None) -> Model:
        """Return one model; an empty version means the newest."""
        return self._ask(GetModel(model, version), timeout_s)

    @overload
    def predict_many(
        self,
        pictures: Iterable[Picture],
        *,
        model: str = "",
        version: str = "",
        in_flight: int = 16,
        on_error: Literal["raise"] = "raise",
        timeout_s: float | None = None,
    ) -> Generator[Prediction, None, None]: ...

    @overload
    def predict_many(
        self,
        pictures: Iterable[Picture],
        *,
        model: str = "",
        version: str = "",
        in_flight: int = 16,
        on_error: Literal["return"],
        timeout_s: float | None = None,
    ) -> Generator[Prediction | PawsightError, None, None]: ...

    def predict_many(
        self,
        pictures: Iterable[Picture],
        *,
        model: str = "",
        version: str = "",
        in_flight: int = 16,
        on_error: Literal["raise", "return"] = "raise",
        timeout_s: float | None = None,
    ) -> Generator[Prediction | PawsightError, None, None]:
        """Yield the predictions of many pictures, in the pictures' order.

        At most `in_flight` pictures are held and under way at once, however many there are; the
        first prediction comes once so many have been sent.

        Args:
            pictures: each as in `predict`; read as predictions are.
            model: as in `predict`.
            version: as in `predict`.
            in_flight: pictures under way at once.
            on_error: "raise" ends with the first picture that fails; "return" yields its error
                in its place and goes on.
            timeout_s: seconds that each picture may take.
        """
        limit_s = self._limit_s(timeout_s)
        check_many(pictures, in_flight, on_error)
        with self._closing.errors_named():
            opened = self._transport.open_stream(limit_s, in_flight)
        with closing(opened) as stream:
            waiting: deque[Predict | PawsightError] = deque()

            def oldest() -> Prediction | PawsightError:
                try:
                    return self._collect(stream, waiting.popleft(), limit_s)
                except PawsightError as error:
                    if on_error == "raise":
                        raise
                    return error

            for picture in pictures:
                if len(waiting) >= in_flight:
                    yield oldest()
                try:
                    operation = Predict(encode(picture), model, version)
                    with self._closing.errors_named():
                        stream.put(operation)
                    waiting.append(operation)
                except PawsightError as error:
                    waiting.append(error)
            while waiting:
                yield oldest()

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._closing.begun = True
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _limit_s(self, timeout_s: float | None, otherwise_s: float = DEFAULT_TIMEOUT_S) -> float:
        self._closing.check()
        given = (each for each in (timeout_s, self._timeout_s) if each is not None)
        return check_timeout(next(given, otherwise_s))

    def _collect(
        self, stream: PictureStream, sent: Predict | PawsightError, timeout_s: float
    ) -> Prediction:
        if isinstance(sent, PawsightError):
            raise sent
        attempts = Attempts(self._policy, timeout_s)
        try:
            with self._closing.errors_named():
                return stream.get()
        except PawsightError as error:
            return self._attempt(sent, attempts, error)

    def _ask(self, operation: Operation[T], timeout_s: float | None) -> T:
        limit_s = self._limit_s(timeout_s, operation.default_timeout_s)
        return self._attempt(operation, Attempts(self._policy, limit_s))

    def _attempt(
        self,
        operation: Operation[T],
        attempts: Attempts,
        failed: PawsightError | None = None,
    ) -> T:
        while True:
            if failed:
                time.sleep(attempts.pause_s(failed))
            try:
                with self._closing.errors_named():
                    return self._transport.send(operation, attempts.remaining_s())
            except PawsightError as error:
                failed = error
