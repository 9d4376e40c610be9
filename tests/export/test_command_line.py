"""`pawsight export` as its user starts it; the export itself is not run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from pawsight_client.cli import main
from pawsight_export import command_line
from tests.serving.fakes import manifest

if TYPE_CHECKING:
    from click.testing import Result

    from pawsight_export.request import ExportRequest


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the export was asked for."""
    options: dict[str, Any] = {}

    def export_run(request: ExportRequest, _: object) -> Any:
        options.update(asdict(request))
        return manifest(request.name)

    monkeypatch.setattr(command_line, "export_run", export_run)
    return options


def export(*options: str) -> Result:
    return CliRunner().invoke(main, ["export", "runs/mine", "--name", "mine", *options])


def test_by_default_three_versions_stay_and_onnx_runtime_runs_them(asked: dict[str, Any]) -> None:
    assert export().exit_code == 0
    assert (asked["name"], asked["keep"], asked["engine"]) == ("mine", 3, "onnxruntime")


def test_the_repository_is_that_of_the_other_commands(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    export()
    assert asked["repository"] == Path("model_repository")
    monkeypatch.setenv("PAWSIGHT_REPOSITORY", "elsewhere")
    export()
    assert asked["repository"] == Path("elsewhere")
    export("--repository", "here")
    assert asked["repository"] == Path("here")


def test_an_unknown_variable_is_refused(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAWSIGHT_REPOSITRY", "elsewhere")
    result = export()
    assert (result.exit_code, asked) == (2, {})
    assert "did you mean PAWSIGHT_REPOSITORY?" in result.output


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "tensorrt", "python"])
def test_every_engine_can_be_named(asked: dict[str, Any], engine: str) -> None:
    assert export("--engine", engine, "--keep", "1").exit_code == 0
    assert (asked["engine"], asked["keep"]) == (engine, 1)


@pytest.mark.parametrize("options", [("--keep", "0"), ("--engine", "caffe")])
def test_what_cannot_be_is_refused(asked: dict[str, Any], options: tuple[str, ...]) -> None:
    assert export(*options).exit_code == 2
    assert asked == {}
