"""`pawsight serve`, `pawsight explainer`, `pawsight triton` and `pawsight key`."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pawsight_serving.addresses import collector_url
from pawsight_serving.errors import PackageMissing, PawsightError
from pawsight_serving.gateway.launched_process import LaunchedProcess
from pawsight_serving.observability.announcing import announce
from pawsight_serving.observability.logs import in_form_of_log
from pawsight_serving.options import REPOSITORY_OPTION, refuse_unknown, with_settings
from pawsight_serving.security.api_keys import NAME, add_line, make_key
from pawsight_serving.settings import ExplainerSettings, GatewaySettings
from pawsight_serving.triton_server.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., None]")


def _port(flag: str, default: int) -> Callable[[Command], Command]:
    return click.option(
        flag,
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        metavar="PORT",
        help="Port on 127.0.0.1; 0 takes a free one.",
    )


def _collector(
    _context: click.Context, _option: click.Parameter, endpoint: str | None
) -> str | None:
    try:
        return endpoint if endpoint is None else collector_url(endpoint)
    except ValueError as error:
        # As settings say it.
        raise click.UsageError(f"--trace-endpoint: {error}.") from None


@click.command()
@with_settings(GatewaySettings)
def serve(settings: GatewaySettings) -> None:
    """Serve predictions and explanations over HTTP and gRPC."""
    from pawsight_serving.gateway import main  # the models' libraries load with it

    launched = click.get_current_context().find_object(LaunchedProcess)
    _run(lambda: main.run(settings, launched))


@click.command()
@with_settings(ExplainerSettings)
def explainer(settings: ExplainerSettings) -> None:
    """Serve explanations alone, to gateways."""
    from pawsight_serving.explainer import main

    _run(lambda: main.run(settings, announce))


@click.command()
@REPOSITORY_OPTION
@_port("--http-port", Ports().http)
@_port("--grpc-port", Ports().grpc)
@_port("--metrics-port", Ports().metrics)
@click.option(
    "--trace-endpoint",
    metavar="URL",
    callback=_collector,
    help="OTLP address to send traces to, over HTTP, such as http://localhost:4318/v1/traces; "
    "without it, none are made.",
)
def triton(
    repository: Path,
    http_port: int,
    grpc_port: int,
    metrics_port: int,
    trace_endpoint: str | None,
) -> None:
    """Run the real Triton server on this machine, without Docker."""
    from pawsight_serving.triton_server import main

    refuse_unknown(os.environ)
    _run(lambda: main.run(repository, Ports(http_port, grpc_port, metrics_port), trace_endpoint))


@click.command()
@click.argument("name")
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File of keys to add it to; without it, the line is printed.",
)
def key(name: str, file: Path | None) -> None:
    """Make an API key for NAME.

    The key is shown this once; the file holds its hash alone.
    """
    if not NAME.fullmatch(name):
        raise click.UsageError(
            "A name may contain only letters, digits, dots, dashes and underscores."
        )
    made, line = make_key(name)
    if file is None:
        click.echo(line, err=True)
    else:
        _run(lambda: add_line(file, line))
    click.echo(made)


def _run(process: Callable[[], None]) -> None:
    try:
        process()
    except PawsightError as error:
        click.echo(in_form_of_log(f"Error: {error}", logging.ERROR), err=True)
        sys.exit(2 if isinstance(error, PackageMissing) else 1)
