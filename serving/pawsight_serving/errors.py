"""The error tree of serving.

    PawsightError
    ├── RequestError                the caller can mend it
    │   ├── ImageInvalid            not a picture, truncated, unsupported format
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
    ├── Unavailable                 the server is stopping, or something behind it is down
    │   ├── EngineUnavailable
    │   └── ExplainerUnavailable
    ├── DeadlineExceeded
    ├── InternalError               ours; the log has the cause
    ├── RepositoryInvalid           the model repository on disk is broken
    │   ├── FolderUnreadable        a folder that may be none of a model
    │   └── RepositoryBusy          another process is changing it
    ├── ConfigurationInvalid        a file that a setting names cannot be used
    │   └── PackageMissing          a setting wants what is not installed
    └── AddressUnavailable          an address to listen on is taken or not this machine's

An error carries a code and one sentence that says what to do, and knows neither HTTP nor
gRPC: the edges hold the tables that map it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# gRPC writes a byte that is not ASCII as three, and drops what is over 8 KiB.
_MAX_SENTENCE_BYTES: Final = 2000


class PawsightError(Exception):
    """Root of the tree; `str(error)` is a sentence fit for a caller.

    What a caller named may stand in it, however long; the middle of a long sentence is left out.
    `retry_after_s` is the time after which to ask again; None where asking again is of no use.
    """

    code: ClassVar[str] = "INTERNAL"
    retry_after_s: float | None = None

    def __str__(self) -> str:
        sentence = super().__str__()
        encoded = sentence.encode(errors="replace")
        if len(encoded) <= _MAX_SENTENCE_BYTES:
            return sentence
        half = _MAX_SENTENCE_BYTES // 2
        begin, end = (part.decode(errors="ignore") for part in (encoded[:half], encoded[-half:]))
        return f"{begin} … {end}"


class RequestError(PawsightError):
    """The request cannot be served as it is; the caller can mend it."""

    code = "REQUEST_INVALID"


class ImageInvalid(RequestError):
    """The bytes are not a picture that can be read."""

    code = "IMAGE_INVALID"


class ImageMissing(RequestError):
    """The request holds no picture."""

    code = "IMAGE_MISSING"


class ImageTooLarge(RequestError):
    """The picture is over the byte limit or the pixel limit."""

    code = "IMAGE_TOO_LARGE"


class OptionInvalid(RequestError):
    """An option of the request does not exist or does not fit."""

    code = "OPTION_INVALID"


class LayerUnknown(OptionInvalid):
    """The model has no such layer, or the method does not apply to it."""

    code = "LAYER_UNKNOWN"

    def __init__(self, layer: str, known: tuple[str, ...]) -> None:
        super().__init__(f"Layer {layer!r} is not one of: {', '.join(known)}.")


class TargetUnknown(OptionInvalid):
    """The model has no such class."""

    code = "TARGET_UNKNOWN"

    def __init__(self, target: str, known: tuple[str, ...]) -> None:
        super().__init__(f"Target {target!r} is not one of the classes: {', '.join(known)}.")


class MediaTypeUnsupported(RequestError):
    """The body's media type is none that the route reads."""

    code = "MEDIA_TYPE_UNSUPPORTED"


class NotFound(RequestError):
    """What the request names does not exist."""

    code = "NOT_FOUND"


class ModelNotFound(NotFound):
    """No model of that name is served."""

    code = "MODEL_NOT_FOUND"

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        served = ", ".join(known) or "none"
        super().__init__(f"Model {name!r} is not served here; the models are: {served}.")


class VersionNotFound(NotFound):
    """The model is there, but not in that version."""

    code = "VERSION_NOT_FOUND"

    def __init__(self, name: str, version: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"Model {name!r} has no version {version!r}; name one of: {', '.join(known)}."
        )


class RouteNotFound(NotFound):
    """No such route or method."""

    code = "ROUTE_NOT_FOUND"


class Unauthenticated(RequestError):
    """No API key, or a wrong one, where keys are set."""

    code = "UNAUTHENTICATED"


class Overloaded(PawsightError):
    """Too many requests are in flight, or so many that this one would be answered too late."""

    code = "OVERLOADED"
    retry_after_s = 1.0

    def __init__(self, sentence: str, retry_after_s: float = 1.0) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class Unavailable(PawsightError):
    """The server is stopping, or something that it depends on is down."""

    code = "UNAVAILABLE"
    retry_after_s = 1.0


class EngineUnavailable(Unavailable):
    """The engine cannot run the model now."""

    code = "ENGINE_UNAVAILABLE"


class ExplainerUnavailable(Unavailable):
    """The explainability sidecar cannot be reached now."""

    code = "EXPLAINER_UNAVAILABLE"


class DeadlineExceeded(PawsightError):
    """The caller's deadline passed before the answer was there."""

    code = "DEADLINE_EXCEEDED"


class InternalError(PawsightError):
    """A fault of ours; what it was stands in the log under the request id."""

    code = "INTERNAL"


class RepositoryInvalid(PawsightError):
    """The model repository on disk cannot be served."""

    code = "REPOSITORY_INVALID"


class FolderUnreadable(RepositoryInvalid):
    """This process may not look into a folder of the repository, which may be none of a model."""

    code = "FOLDER_UNREADABLE"


class RepositoryBusy(RepositoryInvalid):
    """Another process is changing the model."""

    code = "REPOSITORY_BUSY"


class ConfigurationInvalid(PawsightError):
    """A setting names what cannot be used, such as a certificate that is none."""

    code = "CONFIGURATION_INVALID"


class PackageMissing(ConfigurationInvalid):
    """A setting wants a package that is not installed."""

    code = "PACKAGE_MISSING"

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what} needs {package}, which is not installed; install it with: "
            f"pip install 'pawsight[{extra}]'"
        )


class AddressUnavailable(PawsightError):
    """An address to listen on is taken, or cannot be taken here."""

    code = "ADDRESS_UNAVAILABLE"

    def __init__(
        self,
        address: object,
        advice: str = "stop the program that does, or choose another address",
    ) -> None:
        super().__init__(f"Cannot listen on {address}; {advice}.")


def every_error(root: type[PawsightError] = PawsightError) -> Iterator[type[PawsightError]]:
    """Yield each class of the tree, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from every_error(child)
