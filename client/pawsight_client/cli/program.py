"""The `pawsight` program: a group whose commands are imported when they are called."""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import click

from pawsight_client.cli.commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

INTERRUPTED: Final = 130
"""Exit status of a program that SIGINT ended, as shells report it."""

TERMINATED: Final = 143
"""The same of SIGTERM."""


class PackageMissing(click.ClickException):
    """A command needs a package that its extra would have brought."""

    exit_code = 2

    def __init__(self, command: str, package: str) -> None:
        extra = COMMANDS[command].extra
        sentence = (
            f"`pawsight {command}` needs the package {package!r}, which is not installed.\n"
            f"Install it with: pip install '{f'pawsight[{extra}]' if extra else 'pawsight'}'"
        )
        if extra:
            # What was tested together is pinned beside the source, and nowhere else.
            sentence += f"\nIn a clone: pip install --constraint constraints.txt '.[{extra}]'"
        super().__init__(sentence)


@contextlib.contextmanager
def _package_named(command: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        # A module of ours that is missing is a fault of ours: no extra would bring it.
        if not package or package.startswith("pawsight_"):
            raise
        raise PackageMissing(command, package) from error


def _open_standard_streams() -> None:
    """Open on nothing what of standard input, output and error the program was started without.

    What is opened next would take their numbers, and libuv aborts where it is to close one of them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is taken, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM, by which schedulers end a job, end a command as cleanly as Ctrl-C does."""
    terminated: list[int] = []

    def as_by_ctrl_c(number: int, frame: FrameType | None) -> None:
        # `timeout` sends it twice: the second one would break off what the first lets clean up.
        if terminated:
            return
        terminated.append(number)
        # A running event loop has its own way to be interrupted. A shell's background job has none,
        # as it starts with SIGINT ignored.
        interrupt = signal.getsignal(signal.SIGINT)
        handler = interrupt if callable(interrupt) else signal.default_int_handler
        handler(signal.SIGINT, frame)

    # Python lets the main thread alone handle signals; a program that was started to ignore this
    # one goes on to ignore it.
    handled = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if handled:
        signal.signal(signal.SIGTERM, as_by_ctrl_c)
    try:
        yield
    except (KeyboardInterrupt, SystemExit, ImportError) as end:
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        # A library in C++ that is interrupted while it is loaded says that it cannot be.
        if isinstance(end, ImportError) and not isinstance(end.__cause__, KeyboardInterrupt):
            raise
        raise SystemExit(TERMINATED if terminated else INTERRUPTED) from None
    finally:
        if handled:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def _full_disk_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise click.ClickException("The disk is full; free some space.") from error


class LazyGroup(click.Group):
    """Lists its commands without importing them."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments, and print the group's own help where that is asked for."""
        with _full_disk_told():
            return super().make_context(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands' names, in the table's order."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import a command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        with _package_named(cmd_name):
            command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands with the table's help lines."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, which may import what is heavy only now; signals end it cleanly."""
        _open_standard_streams()
        # A file's name may be of bytes that are no text; it is printed as it came.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="surrogateescape")
        try:
            with _ended_by_signals(), _full_disk_told():
                return super().invoke(ctx)
        except ModuleNotFoundError:
            if ctx.invoked_subcommand is None:
                raise
            with _package_named(ctx.invoked_subcommand):
                raise


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pawsight", message="%(prog)s %(version)s")
def main() -> None:
    """Tell cats from dogs, and see why."""
