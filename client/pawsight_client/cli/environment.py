"""Which `PAWSIGHT_*` variables there are, so that a misspelt one is told and not passed over."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX: Final = "PAWSIGHT_"
CLIENT_VARIABLES: Final = frozenset({"PAWSIGHT_API_KEY", "PAWSIGHT_CA", "PAWSIGHT_SERVER"})
# A shell may hold the settings of `pawsight serve` too; that room cannot be asked from here.
# TIMEOUT_S is read on both sides: how long a request may take.
SERVER_VARIABLES: Final = frozenset(
    PREFIX + name
    for name in (
        "API_KEYS",
        "AUDIT",
        "AUDIT_MAX_BYTES",
        "BODY_TIMEOUT_S",
        "CORS_ORIGINS",
        "DECODE_THREADS",
        "DEFAULT_MODEL",
        "ENGINE_BATCH",
        "ENGINE_CORES",
        "ENGINE_THREADS",
        "EXPLAINER",
        "EXPLAINER_START_S",
        "EXPLANATIONS_AT_ONCE",
        "GRPC",
        "HEADER_TIMEOUT_S",
        "HTTP",
        "IDLE_TIMEOUT_S",
        "LOG_FORMAT",
        "MAX_ANSWER_BYTES",
        "MAX_CONNECTIONS",
        "MAX_EXPLANATIONS_IN_FLIGHT",
        "MAX_EXPLANATION_BYTES",
        "MAX_HEADER_BYTES",
        "MAX_IN_FLIGHT",
        "MAX_IN_FLIGHT_BYTES",
        "MAX_JSON_DEPTH",
        "MAX_OVERLAY_SIDE",
        "MAX_PICTURES",
        "MAX_PICTURE_BYTES",
        "MAX_PICTURE_PIXELS",
        "MAX_REQUEST_BYTES",
        "PROBE_INTERVAL_S",
        "PROBE_TIMEOUT_S",
        "RENDER_THREADS",
        "REPOSITORY",
        "REPOSITORY_POLL_S",
        "SHUTDOWN_GRACE_S",
        "STREAM_PICTURES_AT_ONCE",
        "TIMEOUT_S",
        "TLS_CERTIFICATE",
        "TLS_CLIENT_CA",
        "TLS_KEY",
        "TRACE_ENDPOINT",
        "TRITON",
        "VERSION_GRACE_S",
        "WORKERS",
    )
)


def refuse_unknown(environment: Iterable[str]) -> None:
    """Raise a usage error for a `PAWSIGHT_*` variable that no command reads."""
    known = CLIENT_VARIABLES | SERVER_VARIABLES
    for variable in sorted(environment):
        if variable.startswith(PREFIX) and variable not in known:
            # All share the prefix, which would make any two of them near.
            names = [name.removeprefix(PREFIX) for name in sorted(known)]
            near = difflib.get_close_matches(variable.removeprefix(PREFIX), names, n=1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else "unset it, or see --help."
            raise click.UsageError(f"The environment variable {variable} is unknown; {hint}")
