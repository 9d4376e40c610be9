"""Whether the `pawsight` program takes a command line, without running it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from pawsight_client.cli import main
from pawsight_serving.settings import ExplainerSettings, GatewaySettings, SharedSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS: dict[str, type[SharedSettings]] = {
    "serve": GatewaySettings,
    "explainer": ExplainerSettings,
}


def parsed(words: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of a command line and its environment.

    Raises:
        click.ClickException: the program does not take them.
    """
    program, name, *arguments = words
    assert program == "pawsight"
    command = main.get_command(click.Context(main), name)
    assert command is not None
    before = dict(os.environ)
    try:
        os.environ.update(environment)
        # The context's command, as one may stand in for another until it is called.
        with command.make_context(name, arguments) as context:
            options, takes = context.params, context.command.params
    finally:
        os.environ.clear()
        os.environ.update(before)
    known = {parameter.envvar for parameter in takes}
    for variable in environment:
        if variable not in known:
            raise click.UsageError(f"{variable} is unknown")
    given = {key: value for key, value in options.items() if value is not None}
    if name in SETTINGS:
        SETTINGS[name].model_validate(given)
    return given
