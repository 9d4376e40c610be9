"""`pawsight serve` and `pawsight explainer`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pawsight_serving.errors import PawsightError
from pawsight_serving.options import with_settings
from pawsight_serving.settings import ExplainerSettings, GatewaySettings

if TYPE_CHECKING:
    from collections.abc import Callable


@click.command()
@with_settings(GatewaySettings)
def serve(settings: GatewaySettings) -> None:
    """Serve predictions and explanations over HTTP and gRPC."""
    from pawsight_serving.gateway import main  # the models' libraries load with it

    _run(lambda: main.run(settings))


@click.command()
@with_settings(ExplainerSettings)
def explainer(settings: ExplainerSettings) -> None:
    """Serve explanations alone, to gateways."""
    from pawsight_serving.explainer import main

    _run(lambda: main.run(settings))


def _run(process: Callable[[], None]) -> None:
    try:
        process()
    except PawsightError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
