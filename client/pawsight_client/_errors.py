"""The error tree of the client.

    PawsightError
    ├── RequestError                the request can be mended
    │   ├── ImageInvalid            not a picture, truncated, unsupported format
    │   │   └── ImageUnreadable     the file cannot be read here, nothing was sent
    │   ├── ImageMissing            a request without a picture
    │   ├── ImageTooLarge           over the byte or the pixel limit
    │   ├── OptionInvalid           an option that does not exist or does not fit
    │   │   ├── LayerUnknown
    │   │   └── TargetUnknown
    │   ├── MediaTypeUnsupported
    │   ├── NotFound
    │   │   ├── ModelNotFound
    │   │   ├── VersionNotFound
    │   │   └── RouteNotFound
    │   └── Unauthenticated
    ├── Overloaded                  too many requests in flight
    ├── Unavailable                 the server, or something behind it, is down
    │   ├── EngineUnavailable
    │   ├── ExplainerUnavailable
    │   └── ServerUnreachable       nothing answers there, or the connection broke
    │       └── CertificateUntrusted
    ├── DeadlineExceeded
    ├── InternalError               a fault of the server
    ├── AnswerInvalid               the answer is none that a Pawsight gateway gives
    ├── ClientClosed
    └── DependencyMissing           an optional package is needed and not installed

`str(error)` is one sentence that says what to do. Errors of httpx and grpc never leave the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


class PawsightError(Exception):
    """Root of the tree.

    Attributes:
        code: the server's name for the error, such as "IMAGE_INVALID".
        request_id: the server's id of the request, to look up in its log; empty where the
            request never reached one.
        retry_after_s: seconds after which the server wants to be asked again, if it said so.
    """

    code: str = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class RequestError(PawsightError):
    """The request cannot be served as it is; it can be mended."""

    code = "REQUEST_INVALID"


class ImageInvalid(RequestError):
    """The bytes are not a picture that can be read."""

    code = "IMAGE_INVALID"


class ImageUnreadable(ImageInvalid):
    """The picture's file cannot be read on this side; nothing was sent."""

    code = "IMAGE_UNREADABLE"


class ImageMissing(RequestError):
    """The request holds no picture."""

    code = "IMAGE_MISSING"


class ImageTooLarge(RequestError):
    """The picture is over the byte limit or the pixel limit."""

    code = "IMAGE_TOO_LARGE"


class OptionInvalid(RequestError):
    """An option does not exist or does not fit."""

    code = "OPTION_INVALID"


class LayerUnknown(OptionInvalid):
    """The model has no such layer, or the method does not apply to it."""

    code = "LAYER_UNKNOWN"


class TargetUnknown(OptionInvalid):
    """The model has no such class."""

    code = "TARGET_UNKNOWN"


class MediaTypeUnsupported(RequestError):
    """The server does not read that media type."""

    code = "MEDIA_TYPE_UNSUPPORTED"


class NotFound(RequestError):
    """What the request names does not exist."""

    code = "NOT_FOUND"


class ModelNotFound(NotFound):
    """No model of that name is served."""

    code = "MODEL_NOT_FOUND"


class VersionNotFound(NotFound):
    """The model is served, but not in that version."""

    code = "VERSION_NOT_FOUND"


class RouteNotFound(NotFound):
    """The server has no such route or method."""

    code = "ROUTE_NOT_FOUND"


class Unauthenticated(RequestError):
    """No API key, or a wrong one, where the server wants one."""

    code = "UNAUTHENTICATED"


class Overloaded(PawsightError):
    """The server has too many requests in flight."""

    code = "OVERLOADED"


class Unavailable(PawsightError):
    """The server, or something that it depends on, is down."""

    code = "UNAVAILABLE"


class EngineUnavailable(Unavailable):
    """The server's engine cannot run the model now."""

    code = "ENGINE_UNAVAILABLE"


class ExplainerUnavailable(Unavailable):
    """The server's explainability sidecar cannot be reached now."""

    code = "EXPLAINER_UNAVAILABLE"


class ServerUnreachable(Unavailable):
    """Nothing answers at the server's address, or the connection broke."""

    code = "SERVER_UNREACHABLE"


class CertificateUntrusted(ServerUnreachable):
    """The server's certificate comes from nobody whom the client trusts, or is another host's."""

    code = "CERTIFICATE_UNTRUSTED"


class DeadlineExceeded(PawsightError):
    """The time allowed passed before the answer was there."""

    code = "DEADLINE_EXCEEDED"


class InternalError(PawsightError):
    """A fault of the server; what it was stands in its log under the request id."""

    code = "INTERNAL"


class AnswerInvalid(PawsightError):
    """The answer is none that a Pawsight gateway gives: is the URL the right one?"""

    code = "ANSWER_INVALID"


class ClientClosed(PawsightError):
    """The client was used after it had been closed."""

    code = "CLIENT_CLOSED"


class DependencyMissing(PawsightError):
    """An optional package is needed and not installed."""

    code = "DEPENDENCY_MISSING"


def _tree(root: type[PawsightError]) -> Iterator[type[PawsightError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


LATE: Final = "No answer came in time; allow more time or send less."
CLOSED_MEANWHILE: Final = "The client was closed before the answer came; open a new one."

BY_CODE: Final = {error.code: error for error in _tree(PawsightError)}


def server_error(
    code: str,
    message: str,
    *,
    otherwise: type[PawsightError],
    request_id: str = "",
    retry_after_s: float | None = None,
) -> PawsightError:
    """Return the error that a server's code names.

    Args:
        code: the code in the answer; empty where the answer is a proxy's.
        message: the sentence in the answer.
        otherwise: the class for a code that this version does not know.
        request_id: the server's id of the request.
        retry_after_s: seconds after which the server wants to be asked again.
    """
    kind = BY_CODE.get(code, otherwise)
    return kind(message, code=code, request_id=request_id, retry_after_s=retry_after_s)


def seconds(text: str | None) -> float | None:
    """Read a `Retry-After` in seconds; None where there is none that is a number of them."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0.0 <= value < float("inf") else None
