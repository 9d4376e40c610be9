"""The `pawsight` program."""

from pawsight_client.cli.program import main

__all__ = ["main"]
