"""What the commands that ask a server have in common: where it is, and how errors are told."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec

import click

from pawsight_client import Client, PawsightError, Tls

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")

DEFAULT_SERVER: Final = "http://127.0.0.1:8080"


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
        type=click.FloatRange(min=0, min_open=True),
        default=10.0,
        show_default=True,
        help="Seconds that an answer may take.",
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
        server: str, timeout_s: float, ca: str | None, *args: P.args, **options: P.kwargs
    ) -> None:
        api_key = os.environ.get("PAWSIGHT_API_KEY")
        try:
            with Client(server, api_key=api_key, tls=Tls(ca), timeout_s=timeout_s) as client:
                command(client, *args, **options)
        except PawsightError as error:
            raise click.ClickException(str(error)) from error

    return run
