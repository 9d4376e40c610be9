"""Which variables are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from pawsight_client.cli.environment import CLIENT_VARIABLES, SERVER_VARIABLES, refuse_unknown
from pawsight_serving import options, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


def test_the_servers_variables_are_its_settings() -> None:
    fields = {
        name.upper()
        for each in (settings.GatewaySettings, settings.ExplainerSettings)
        for name in each.model_fields
    }
    assert {options.PREFIX + name for name in fields} == SERVER_VARIABLES
    assert options.CLIENT_VARIABLES == CLIENT_VARIABLES


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("PAWSIGHT_SERVRE", "did you mean PAWSIGHT_SERVER?"),
        ("PAWSIGHT_FOO", "unset it, or see --help."),
        ("PAWSIGHT_DEBUG", "unset it, or see --help."),
    ],
)
def test_both_sides_refuse_in_the_same_words(variable: str, hint: str) -> None:
    told = []
    for refuse in (refuse_unknown, options.refuse_unknown):
        with pytest.raises(click.UsageError) as raised:
            refuse(["PATH", variable])
        told.append(str(raised.value))
    assert told[0] == told[1]
    assert told[0].endswith(f"{variable} is unknown; {hint}")


@pytest.mark.parametrize(
    "command",
    [
        ["predict"],
        ["explain", "--out", "overlay.png"],
        ["activations", "--layer", "conv4", "--out", "grid.png"],
    ],
    ids=lambda command: str(command[0]),
)
def test_a_misspelt_variable_ends_every_command(
    run: Callable[..., Result], cat: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAWSIGHT_SERVRE", "http://127.0.0.1:1")
    result = run(*command, cat)
    assert result.exit_code == 2
    assert "did you mean PAWSIGHT_SERVER?" in result.stderr


def test_another_commands_variable_may_stand_there(
    run: Callable[..., Result], cat: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAWSIGHT_HTTP", "127.0.0.1:80")
    assert run("predict", cat, "--server", url).exit_code == 0
