"""One line a request in the log: who asked for what, how it ended, how long each stage took."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.observability.observed import Observed
    from pawsight_serving.predictions import Predictions

logger = logging.getLogger("pawsight.requests")

# Platforms ask these every second.
_PROBES: Final = frozenset({"alive", "ready", "live", "metrics", "server_live", "server_ready"})


class RequestLog:
    """Writes the lines; a `Listener`. Nothing of a picture is in them but how many there were.

    Args:
        service: name of this process: a request that another one had a part in has a line of each.
    """

    def __init__(self, service: str) -> None:
        self._service = service

    def began(self, observed: Observed) -> None:
        """See `Listener.began`."""

    def ended(self, observed: Observed) -> None:
        """See `Listener.ended`."""
        level = logging.DEBUG if observed.method in _PROBES else logging.INFO
        if logger.isEnabledFor(level):
            fields = {"service": self._service, **request_fields(observed)}
            text = " ".join(f"{name}={value}" for name, value in fields.items() if value)
            logger.log(level, "%s", text, extra={"request": fields})

    def predicted(
        self, observed: Observed, predictions: Predictions, pictures: Sequence[Any]
    ) -> None:
        """See `Listener.predicted`."""


def request_fields(observed: Observed) -> dict[str, Any]:
    """Return the fields of a request's log line; times in milliseconds."""
    return {
        "request_id": observed.request_id,
        "protocol": observed.protocol,
        "method": observed.method,
        "code": observed.code,
        "ms": round(observed.total_s * 1e3, 2),
        **{f"{stage}_ms": round(s * 1e3, 2) for stage, s in observed.seconds.items()},
        "model": observed.model,
        "version": observed.version,
        "pictures": observed.pictures,
        "caller": observed.caller,
        "trace": observed.traceparent[3:35],
    }
