from __future__ import annotations

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


@pytest.mark.parametrize(("command", "http"), [(serve, ["--http", "127.0.0.1:0"]), (explainer, [])])
def test_a_repository_that_is_not_there_is_one_sentence(
    command: click.Command, http: list[str], tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    result = CliRunner().invoke(
        command, ["--repository", str(missing), "--grpc", "127.0.0.1:0", *http]
    )
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"Error: There is no model repository at {missing}; name one with --repository."
    )
    assert "Traceback" not in result.output


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
    monkeypatch.delitem(sys.modules, "pawsight_serving.trace_collector", raising=False)
    result = CliRunner().invoke(
        serve,
        [
            *("--repository", str(tmp_path), "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"),
            *("--trace-endpoint", "http://localhost:4317"),
        ],
    )
    assert result.exit_code == 2
    assert "pip install 'pawsight[tracing]'" in result.stderr
