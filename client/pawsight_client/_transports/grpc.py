"""gRPC by grpcio, one call at a time; the streams stand beside it."""

from __future__ import annotations

import contextlib
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from pawsight_client._transports import grpc_codec as codec
from pawsight_client._transports.grpc_streams import AsyncGrpcStream, GrpcStream
from pawsight_client._transports.loopback import is_loopback
from pawsight_client._transports.protocol import MOST_ANSWER_BYTES
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightStub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pawsight_client._operations import Operation, T
    from pawsight_client._tls import Tls

# The client decides alone when to ask again, and finds a restarted server at once.
OPTIONS: Final = (
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name, this is how long one attempt to connect may take, with TLS.
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", MOST_ANSWER_BYTES),
)


@contextlib.contextmanager
def _errors_named(url: str) -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise codec.error_of(error, url) from error


def _url(target: str, tls: Tls | None) -> str:
    return f"{'grpc' if tls is None else 'grpcs'}://{target}"


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(*tls.contents())


def _options(url: str) -> tuple[tuple[str, int], ...]:
    return (*OPTIONS, ("grpc.enable_http_proxy", int(not is_loopback(url))))


def _metadata(api_key: str | None) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {api_key}"),) if api_key else ()


class GrpcTransport:
    """The synchronous transport."""

    def __init__(self, target: str, api_key: str | None, tls: Tls | None = None) -> None:
        self.url = _url(target, tls)
        self._metadata = _metadata(api_key)
        options = _options(self.url)
        self._channel = (
            grpc.insecure_channel(target, options)
            if tls is None
            else grpc.secure_channel(target, _credentials(tls), options)
        )
        self._stub = PawsightStub(self._channel)

    def send(self, operation: Operation[T], timeout_s: float) -> T:
        form = codec.form_of(operation)
        call = getattr(self._stub, form.method)
        with _errors_named(self.url):
            answer = call(form.write(operation), timeout=timeout_s, metadata=self._metadata)
        return codec.read(form, answer)

    def open_stream(self, timeout_s: float, in_flight: int) -> GrpcStream:  # noqa: ARG002
        call = partial(self._stub.PredictStream, metadata=self._metadata)
        return GrpcStream(call, self.url, timeout_s)

    def close(self) -> None:
        self._channel.close()


class AsyncGrpcTransport:
    """The asynchronous transport."""

    def __init__(self, target: str, api_key: str | None, tls: Tls | None = None) -> None:
        self.url = _url(target, tls)
        self._metadata = _metadata(api_key)
        options = _options(self.url)
        self._open = (
            partial(grpc.aio.insecure_channel, target, options)
            if tls is None
            else partial(grpc.aio.secure_channel, target, _credentials(tls), options)
        )
        self._channel: grpc.aio.Channel | None = None

    @cached_property
    def _stub(self) -> PawsightStub:
        # A channel is its event loop's, and a client may be made before there is one.
        self._channel = self._open()
        return PawsightStub(self._channel)

    async def send(self, operation: Operation[T], timeout_s: float) -> T:
        form = codec.form_of(operation)
        call = getattr(self._stub, form.method)
        with _errors_named(self.url):
            answer = await call(form.write(operation), timeout=timeout_s, metadata=self._metadata)
        return codec.read(form, answer)

    def open_stream(self, timeout_s: float, in_flight: int) -> AsyncGrpcStream:  # noqa: ARG002
        call = partial(self._stub.PredictStream, metadata=self._metadata)
        return AsyncGrpcStream(call, self.url, timeout_s)

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()
