"""What the client asks of a transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from pawsight_client._operations import Operation, Predict, T
    from pawsight_client._results import Prediction

MOST_ANSWER_BYTES: Final = 256 * 1024 * 1024
"""No answer is larger: what sends more is no gateway, and would fill the caller's memory."""


class PictureStream(Protocol):
    """Pictures go in, predictions come out in the same order.

    A failure is of one picture, even where it broke the connection: what follows goes on over
    a new one.
    """

    def put(self, operation: Predict) -> None:
        """Send a picture, without waiting for its prediction."""

    def get(self) -> Prediction:
        """Return the prediction of the oldest picture that has none yet.

        Raises:
            PawsightError: this picture has failed.
        """

    def close(self) -> None:
        """Give up what is under way."""


class Transport(Protocol):
    """Carries operations to a server; fit for several threads.

    Attributes:
        url: of the server, without what a log should not hold.
    """

    url: str

    def send(self, operation: Operation[T], timeout_s: float) -> T:
        """Ask once, and wait at most `timeout_s` for the answer.

        Raises:
            PawsightError: whatever went wrong.
        """

    def open_stream(self, timeout_s: float, in_flight: int) -> PictureStream:
        """Return a stream that takes up to `in_flight` pictures at once.

        Args:
            timeout_s: seconds that a picture's prediction may be waited for.
            in_flight: `put` is called at most so often more than `get`.
        """

    def close(self) -> None:
        """Close the connections."""


class AsyncPictureStream(Protocol):
    """As `PictureStream`."""

    async def put(self, operation: Predict) -> None:
        """As `PictureStream.put`."""

    async def get(self) -> Prediction:
        """As `PictureStream.get`."""

    async def close(self) -> None:
        """As `PictureStream.close`."""


class AsyncTransport(Protocol):
    """As `Transport`, for one event loop."""

    url: str

    async def send(self, operation: Operation[T], timeout_s: float) -> T:
        """As `Transport.send`."""

    def open_stream(self, timeout_s: float, in_flight: int) -> AsyncPictureStream:
        """As `Transport.open_stream`."""

    async def close(self) -> None:
        """As `Transport.close`."""
