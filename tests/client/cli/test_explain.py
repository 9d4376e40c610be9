"""`pawsight explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.client.twin import OVERLAY, SHEET

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result


def test_the_overlay_is_written(
    run: Callable[..., Result], url: str, cat: Path, tmp_path: Path
) -> None:
    out = tmp_path / "overlay.png"
    result = run("explain", cat, "--out", out, "--server", url)
    assert result.exit_code == 0
    assert out.read_bytes() == OVERLAY
    assert result.stdout == f"{cat}: cat 75.0%\n{out}: evidence for cat at conv4\n"


def test_layer_and_target_are_passed_on(
    run: Callable[..., Result], url: str, cat: Path, tmp_path: Path
) -> None:
    out = tmp_path / "overlay.png"
    options = ("--layer", "conv2", "--target", "dog", "--server", url)
    assert "evidence for dog at conv2" in run("explain", cat, "--out", out, *options).stdout


def test_out_is_required(run: Callable[..., Result], cat: Path) -> None:
    assert run("explain", cat).exit_code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_out_that_cannot_be_written(run: Callable[..., Result], url: str, cat: Path) -> None:
    result = run("explain", cat, "--out", "/dev/full", "--server", url)
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_sheet_of_layers_and_classes(
    run: Callable[..., Result], url: str, cat: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sheet.png"
    options = ("--layer", "conv1,conv4", "--target", "cat,dog", "--server", url)
    result = run("explain", cat, "--out", out, *options)
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == SHEET
    assert len(result.stdout.splitlines()) == 5
    assert run("explain", cat, "--out", out, *options, "--seed", "3").exit_code == 2


def test_faithfulness_is_two_areas(
    run: Callable[..., Result], url: str, cat: Path, tmp_path: Path
) -> None:
    options = ("--method", "grad-cam++", "--faithfulness", "--server", url)
    result = run("explain", cat, "--out", tmp_path / "overlay.png", *options)
    assert result.stdout.endswith("at conv4; deletion 0.250, insertion 0.750\n")
