"""The `pawsight` program: a group whose commands are imported when they are called."""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any, Final

import click

from pawsight_client.cli.commands import COMMANDS, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED: Final = 130
"""Exit status of a program that SIGINT ended, as shells report it."""


class ExtraMissing(click.ClickException):
    """A command needs a package that its extra would have brought."""

    exit_code = 2

    def __init__(self, command: str, extra: str, module: str) -> None:
        super().__init__(
            f"`pawsight {command}` needs the package {module!r}, which is not installed.\n"
            f"Install it with: pip install 'pawsight[{extra}]'"
        )


@contextlib.contextmanager
def _missing_extra_named(command: str, entry: Entry) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        # A module of ours that is missing is a fault of ours: no extra would bring it.
        if not module or module.startswith("pawsight_"):
            raise
        raise ExtraMissing(command, entry.extra, module) from error


class LazyGroup(click.Group):
    """Lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        with _missing_extra_named(cmd_name, entry):
            command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            # Commands import what is heavy in their bodies, so that `--help` stays quick.
            name = ctx.invoked_subcommand
            if name is None:
                raise
            with _missing_extra_named(name, COMMANDS[name]):
                raise error
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pawsight", message="%(prog)s %(version)s")
def main() -> None:
    """Tell cats from dogs, and see why."""
