"""What the commands that ask a server have in common: where it is, and how errors are told."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec

import click

from pawsight_client import Client, DeadlineExceeded, PawsightError, Tls, Unauthenticated
from pawsight_client._operations import DEFAULT_TIMEOUT_S, PATIENT_TIMEOUT_S
from pawsight_client._retries import MOST_TIMEOUT_S
from pawsight_client.cli.environment import refuse_unknown
from pawsight_client.cli.number_range import NumberRange

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")

DEFAULT_SERVER: Final = "http://127.0.0.1:8080"
_HINTS: Final[dict[type[PawsightError], str]] = {
    DeadlineExceeded: "The client waits up to --timeout seconds; the server has its own limit, "
    "--timeout-s.",
    Unauthenticated: "The key is read from PAWSIGHT_API_KEY.",
}


def told(error: PawsightError) -> str:
    """Return an error's sentence, and what it means at a command line."""
    return " ".join([str(error), *(_HINTS[kind] for kind in _HINTS if isinstance(error, kind))])


def with_client(command: Callable[Concatenate[Client, P], None]) -> Callable[..., None]:
    """Give a command the options that name a server, and call it with a client of that server.

    The API key comes from `PAWSIGHT_API_KEY` alone: a flag would show in the list of processes.
    """

    @click.option(
        "--server",
        metavar="URL",
        envvar="PAWSIGHT_SERVER",
        default=DEFAULT_SERVER,
        show_default=True,
        show_envvar=True,
        help="The server, http(s)://HOST:PORT or grpc(s)://HOST:PORT; "
        "an API key is read from PAWSIGHT_API_KEY.",
    )
    @click.option(
        "--timeout",
        "timeout_s",
        metavar="SECONDS",
        envvar="PAWSIGHT_TIMEOUT_S",
        show_envvar=True,
        type=NumberRange(min=0, min_open=True, max=MOST_TIMEOUT_S),
        help="Seconds that an answer may take, if the server's own --timeout-s allows it "
        f"[default: {DEFAULT_TIMEOUT_S:.0f}, and {PATIENT_TIMEOUT_S:.0f} for many passes].",
    )
    @click.option(
        "--ca",
        metavar="FILE",
        envvar="PAWSIGHT_CA",
        show_envvar=True,
        help="PEM file of the authorities that the server's certificate comes from.",
    )
    @functools.wraps(command)
    def run(
        server: str, timeout_s: float | None, ca: str | None, *args: P.args, **options: P.kwargs
    ) -> None:
        refuse_unknown(os.environ)
        # What gRPC's library logs of a failure stands in the error's sentence already.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        api_key = os.environ.get("PAWSIGHT_API_KEY")
        try:
            with Client(server, api_key=api_key, tls=Tls(ca), timeout_s=timeout_s) as client:
                command(client, *args, **options)
        except PawsightError as error:
            raise click.ClickException(told(error)) from error

    return run
