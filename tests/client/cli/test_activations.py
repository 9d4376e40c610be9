"""`pawsight activations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.client.twin import OVERLAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


def test_the_grid_is_written(
    run: Callable[..., Result], url: str, cat: Path, tmp_path: Path
) -> None:
    out = tmp_path / "grid.png"
    result = run("activations", cat, "--layer", "conv4", "--out", out, "--server", url)
    assert result.exit_code == 0
    assert out.read_bytes() == OVERLAY
    assert result.stdout.splitlines() == [
        f"{out}: conv4, 2x2",
        "channel    mean     max  zeros",
        "      7   0.562   1.500  25.0%",
    ]


def test_channels_are_passed_on(
    run: Callable[..., Result], url: str, cat: Path, tmp_path: Path
) -> None:
    out = tmp_path / "grid.png"
    options = ("--layer", "conv4", "--channels", "3, 12", "--server", url)
    lines = run("activations", cat, "--out", out, *options).stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["3", "12"]


@pytest.mark.parametrize("top", ["0", "-1", "65536"])
def test_some_channel_is_shown(run: Callable[..., Result], cat: Path, top: str) -> None:
    result = run("activations", cat, "--layer", "conv4", "--out", "grid.png", "--top", top)
    assert result.exit_code == 2


@pytest.mark.parametrize("layer", ["all", "conv1,conv4"])
def test_one_layer_is_shown(run: Callable[..., Result], cat: Path, layer: str) -> None:
    result = run("activations", cat, "--layer", layer, "--out", "grid.png")
    assert result.exit_code == 2
    assert "once for each" in result.stderr


@pytest.mark.parametrize("channels", ["a", "1,,2", "-1", "1.5"])
def test_channels_are_numbers(run: Callable[..., Result], cat: Path, channels: str) -> None:
    result = run(
        "activations", cat, "--layer", "conv4", "--out", "grid.png", "--channels", channels
    )
    assert result.exit_code == 2
    assert "with commas between them" in result.stderr
