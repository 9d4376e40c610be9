from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pawsight_serving.addresses import Address, bind
from pawsight_serving.command_line import explainer, serve, triton
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

    import click


pytestmark = pytest.mark.usefixtures("logging_as_before")


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("missing", "There is no model repository at {}; name one with --repository."),
        (
            "empty",
            "The model repository at {} holds no published model; put one there with "
            "`pawsight export`.",
        ),
        ("broken", "The manifest of tiny version 1 cannot be read; export the model again."),
    ],
)
@pytest.mark.parametrize("command", [["serve"], ["serve", "--workers", "2"], ["explainer"]])
def test_a_repository_that_cannot_be_served_is_one_sentence_once(
    tmp_path: Path, command: list[str], kind: str, sentence: str
) -> None:
    folder = tmp_path / "repository"
    if kind != "missing":
        folder.mkdir()
    if kind == "broken":
        publish_tiny(folder)
        if "serve" in command:
            publish_tiny(folder, name="whole")
        (folder / "tiny" / "1" / "manifest.json").write_text("{")
    addresses = [*("--grpc", "127.0.0.1:0"), *(("--http", "127.0.0.1:0") * ("serve" in command))]
    # As a user sees it: what the processes below this one say is a part of it.
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pawsight_client",
            *command,
            "--repository",
            str(folder),
            *addresses,
        ],
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {sentence.format(folder)}\n"


@pytest.mark.parametrize(
    ("command", "protocol", "options"),
    [
        (serve, "http", ["--grpc", "127.0.0.1:0"]),
        (serve, "grpc", ["--http", "127.0.0.1:0"]),
        (serve, "grpc", ["--http", "127.0.0.1:0", "--workers", "2"]),
        (explainer, "grpc", []),
    ],
)
def test_a_taken_port_is_told_before_anything_is_loaded(
    command: click.Command, protocol: str, options: list[str], tmp_path: Path
) -> None:
    with bind(Address("127.0.0.1", 0)) as taken:
        taken.listen()
        address = Address(*taken.getsockname())
        result = CliRunner().invoke(
            command,
            ["--repository", str(tmp_path / "missing"), f"--{protocol}", str(address), *options],
        )
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Cannot listen on {address}; stop the program that does, or choose another "
        "address.\n"
    )


@pytest.mark.parametrize("command", [serve, explainer])
def test_where_the_log_is_json_the_reason_of_the_end_is_a_line_of_it(
    command: click.Command, tmp_path: Path
) -> None:
    options = ["--repository", str(tmp_path / "missing"), "--log-format", "json"]
    free = ["--grpc", "127.0.0.1:0", *(["--http", "127.0.0.1:0"] if command is serve else [])]
    result = CliRunner().invoke(command, [*options, *free])
    assert result.exit_code == 1
    said = json.loads(result.stderr)
    assert said["level"] == "ERROR"
    assert said["message"].startswith("Error: There is no model repository at ")


@pytest.mark.parametrize("command", [serve, explainer, triton])
@pytest.mark.parametrize("endpoint", ["localhost:4318", "grpc://localhost:4317", ""])
def test_traces_that_go_nowhere_are_refused_alike(command: click.Command, endpoint: str) -> None:
    result = CliRunner().invoke(command, ["--trace-endpoint", endpoint])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: --trace-endpoint: it must be http://HOST:PORT, or https://HOST:PORT for TLS."
    )


def test_a_missing_extra_is_named_and_exits_as_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_tiny(tmp_path)
    exporter = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"
    monkeypatch.setitem(sys.modules, exporter, None)
    # Tests of traces before this one may have loaded what imports it.
    loaded = "pawsight_serving.observability.trace_collector"
    monkeypatch.delitem(sys.modules, loaded, raising=False)
    result = CliRunner().invoke(
        serve,
        [
            *("--repository", str(tmp_path), "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"),
            *("--trace-endpoint", "http://localhost:4317"),
        ],
    )
    assert result.exit_code == 2
    assert "pip install 'pawsight[tracing]'" in result.stderr
