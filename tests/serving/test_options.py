from __future__ import annotations

import click
import pytest
from click.testing import CliRunner, Result

from pawsight_serving.options import refuse_unknown, with_settings
from pawsight_serving.settings import GatewaySettings


def run(*arguments: str, **environment: str) -> tuple[GatewaySettings | None, Result]:
    read: list[GatewaySettings] = []
    command = click.command()(with_settings(GatewaySettings)(read.append))
    result = CliRunner().invoke(command, arguments, env=environment)
    return (read[0] if read else None), result


def test_without_anything_the_defaults_hold() -> None:
    settings, result = run()
    assert result.exit_code == 0, result.output
    assert settings == GatewaySettings()


def test_a_flag_goes_before_its_variable_and_that_before_the_default() -> None:
    settings, _ = run("--http", "h:1", PAWSIGHT_HTTP="h:2", PAWSIGHT_GRPC="h:3")
    assert settings is not None
    assert (str(settings.http), str(settings.grpc)) == ("h:1", "h:3")


def test_values_are_typed() -> None:
    settings, _ = run("--timeout-s", "2.5", "--max-pictures", "3", "--repository", "r")
    assert settings is not None
    assert (settings.timeout_s, settings.max_pictures) == (2.5, 3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--http", "nowhere"], "--http: it must be HOST:PORT."),
        (["--timeout-s", "soon"], "--timeout-s: it must be a number above zero."),
        (["--timeout-s", "0"], "--timeout-s: it must be a number above zero."),
        (["--timeout-s", "inf"], "--timeout-s: it must be a finite number above zero."),
        (
            ["--engine-cores", "many"],
            "--engine-cores: it must be 'all' or 'one'.",
        ),
        (["--max-pictures", "x"], "--max-pictures: it must be a whole number above zero."),
        (["--max-json-depth", "5000"], "--max-json-depth: it must be at most 1024."),
        (
            ["--triton", "h:1", "--repository", "r"],
            "give either a repository or a Triton, not both.",
        ),
        (
            ["--http", "h:1", "--grpc", "h:1"],
            "give http and grpc an address each, not the same one.",
        ),
    ],
)
def test_a_bad_value_ends_with_one_sentence(arguments: list[str], sentence: str) -> None:
    settings, result = run(*arguments)
    assert settings is None
    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == f"Error: {sentence}"


def test_a_bad_value_of_a_variable_names_the_variable() -> None:
    settings, result = run(PAWSIGHT_WORKERS="x")
    assert settings is None
    assert "PAWSIGHT_WORKERS: it must be a whole number above zero." in result.output
    _, result = run("--workers", "y", PAWSIGHT_WORKERS="x")
    assert "--workers: it must be" in result.output


def test_an_unknown_variable_is_an_error_that_names_the_closest() -> None:
    settings, result = run(PAWSIGHT_TIMEOUT="3")
    assert settings is None
    assert result.exit_code == 2
    assert "PAWSIGHT_TIMEOUT is unknown; did you mean PAWSIGHT_TIMEOUT_S?" in result.output


def test_the_clients_and_the_explainers_variables_are_known() -> None:
    refuse_unknown(["PAWSIGHT_SERVER", "PAWSIGHT_API_KEY", "PAWSIGHT_RENDER_THREADS", "PATH"])


def test_help_names_every_flag_and_variable() -> None:
    _, result = run("--help")
    text = " ".join(result.output.split())
    for name in GatewaySettings.model_fields:
        assert f"--{name.replace('_', '-')}" in text
        assert f"PAWSIGHT_{name.upper()}" in text


@pytest.mark.parametrize(
    "shown",
    [
        "--http HOST:PORT",
        "--triton HOST:PORT",
        "--engine-batch N",
        "--timeout-s SECONDS",
        "--log-format [text|json]",
        "--repository DIR",
        "--tls-key FILE",
        "--trace-endpoint URL",
        "--cors-origins ORIGINS",
        "--default-model NAME",
    ],
)
def test_the_help_says_what_kind_of_value_an_option_takes(shown: str) -> None:
    assert shown in " ".join(run("--help")[1].output.split())
