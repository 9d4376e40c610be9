"""The id of a call, in its metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pawsight_serving.requests.calls import accept_request_id
from pawsight_serving.rpc.metadata import first_values

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUEST_ID_KEY: Final = "x-request-id"


def request_id_of(metadata: Iterable[tuple[str, Any]] | None) -> str:
    """Return the caller's request id if headers and logs can hold it, else a new one."""
    return accept_request_id(str(first_values(metadata).get(REQUEST_ID_KEY, "")))
