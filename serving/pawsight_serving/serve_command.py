"""`pawsight serve`, which launches the explainer's process before anything else.

Gateway and explainer both take seconds to load their libraries. So they load them side by side, and
what the options need is among them.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import click

from pawsight_serving.gateway.launched_process import LaunchedProcess


class _LaunchingCommand(click.Command):
    """Stands in for the command until it is called."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context of the command itself; see `click.Command.make_context`."""
        launched = None if "--help" in args else _launch()
        try:
            from pawsight_serving.command_line import serve as command

            context = command.make_context(info_name, args, parent, obj=launched, **extra)
        except BaseException:
            if launched is not None:
                launched.discard()
            raise
        if launched is not None:
            context.call_on_close(launched.discard)
        return context


def _launch() -> LaunchedProcess | None:
    # Without the serving packages it could but print a traceback; the command says what is missing.
    if find_spec("uvloop") is None:
        return None
    with suppress(OSError):  # the gateway tries again, and says what is wrong
        return LaunchedProcess()
    return None


serve = _LaunchingCommand("serve")
