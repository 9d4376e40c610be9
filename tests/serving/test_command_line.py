from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pawsight_serving.command_line import explainer, serve

if TYPE_CHECKING:
    from pathlib import Path

    import click


@pytest.mark.parametrize("command", [serve, explainer])
def test_a_repository_that_is_not_there_is_one_sentence(
    command: click.Command, tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    result = CliRunner().invoke(command, ["--repository", str(missing), "--grpc", "127.0.0.1:0"])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"Error: There is no model repository at {missing}; name one with --repository."
    )
    assert "Traceback" not in result.output
