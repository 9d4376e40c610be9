"""The table of commands is true."""

from __future__ import annotations

import importlib
from importlib.metadata import metadata

import click
import pytest

from pawsight_client.cli.commands import COMMANDS

EXTRAS = metadata("pawsight").get_all("Provides-Extra") or []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name: str) -> None:
    module, _, attribute = COMMANDS[name].target.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_extra_can_be_installed(name: str) -> None:
    assert COMMANDS[name].extra in {"", *EXTRAS}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_line_is_a_sentence(name: str) -> None:
    assert COMMANDS[name].summary[0].isupper()
    assert COMMANDS[name].summary.endswith(".")
