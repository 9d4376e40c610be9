from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner

from pawsight_export import command_line
from pawsight_export.request import ExportRequest
from tests.serving.fakes import manifest

if TYPE_CHECKING:
    import pytest

    from pawsight_serving.repository.manifest import Manifest

RUN, REPOSITORY = Path("runs/my run"), Path("repository")


def test_the_command_names_what_is_asked_for_and_leaves_out_what_is_empty() -> None:
    assert ExportRequest(RUN, "pets", REPOSITORY).command() == (
        "pawsight export 'runs/my run' --name pets --repository repository --engine onnxruntime "
        "--precision fp32 --keep 3"
    )


def test_the_command_asks_for_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, filters = tmp_path / "data", tmp_path / "filters"
    data.mkdir()
    filters.mkdir()
    request = ExportRequest(
        RUN,
        "pets",
        REPOSITORY,
        engine="openvino",
        precision="int8",
        data=data,
        classes=("cat", "dog"),
        calibration=data,
        calibration_method="percentile",
        filters=filters,
        keep=2,
    )
    asked: list[ExportRequest] = []

    def export_run(request: ExportRequest, _: object) -> Manifest:
        asked.append(request)
        return manifest("pets")

    monkeypatch.setattr(command_line, "export_run", export_run)
    _, _, *arguments = shlex.split(request.command())
    result = CliRunner().invoke(command_line.export, arguments)
    assert result.exit_code == 0, result.output
    assert asked == [request]
