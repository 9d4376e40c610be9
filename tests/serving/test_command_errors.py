from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from pawsight_serving.command_errors import told_in_one_sentence
from pawsight_serving.errors import ConfigurationInvalid


class OtherError(Exception):
    """Root of a tree of another room."""


class OtherKind(OtherError):
    """One of that tree."""


@pytest.mark.parametrize("error", [ConfigurationInvalid("Do this."), OtherKind("Do this.")])
def test_an_error_is_told_in_one_sentence(error: Exception) -> None:
    @click.command()
    @told_in_one_sentence(OtherError)
    def fails() -> None:
        raise error

    result = CliRunner().invoke(fails)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: Do this.\n")


def test_what_is_in_no_tree_is_a_fault_of_ours_and_not_hidden() -> None:
    @click.command()
    @told_in_one_sentence()
    def fails() -> None:
        raise OtherKind

    assert isinstance(CliRunner().invoke(fails).exception, OtherKind)


def test_a_variable_that_nothing_reads_is_refused_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @click.command()
    @told_in_one_sentence()
    def begins() -> None:
        click.echo("begun")

    monkeypatch.setenv("PAWSIGHT_REPOSITORI", "here")
    result = CliRunner().invoke(begins)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "PAWSIGHT_REPOSITORI is unknown; did you mean PAWSIGHT_REPOSITORY?" in result.stderr
