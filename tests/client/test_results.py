"""What a server answers."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING

import pytest

from pawsight_client import Explanation, OptionInvalid, Prediction, _results

if TYPE_CHECKING:
    from pathlib import Path

PREDICTION = Prediction("cat", 0.75, {"cat": 0.75, "dog": 0.25}, "m", "1", "sha256:0", "r")


def explanation(overlay_png: bytes) -> Explanation:
    return Explanation(
        method="grad-cam",
        layer="conv4",
        target="cat",
        height=1,
        width=1,
        evidence=True,
        digest="sha256:0",
        prediction=PREDICTION,
        map=((1.0,),),
        overlay_png=overlay_png,
    )


def test_all_results_are_frozen() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(_results, inspect.isclass)
        if kind.__module__ == _results.__name__
    ]
    assert len(kinds) == 7
    for kind in kinds:
        assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_results_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PREDICTION.label = "dog"  # type: ignore[misc]


def test_save_writes_the_overlay(tmp_path: Path) -> None:
    explanation(b"png").save(tmp_path / "overlay.png")
    assert (tmp_path / "overlay.png").read_bytes() == b"png"


def test_notebooks_show_the_drawing() -> None:
    assert explanation(b"png")._repr_png_() == b"png"
    assert dataclasses.replace(explanation(b"png"), sheet_png=b"sheet")._repr_png_() == b"sheet"
    assert explanation(b"")._repr_png_() is None


def test_save_writes_png_files_alone(tmp_path: Path) -> None:
    explanation(b"png").save(tmp_path / "OVERLAY.PNG")
    explanation(b"png").save(tmp_path / "overlay")
    for name in ("overlay.jpg", "overlay.webp", "overlay.xyz"):
        with pytest.raises(OptionInvalid, match=r"end in \.png"):
            explanation(b"png").save(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_save_without_an_overlay_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(OptionInvalid, match="overlay=True"):
        explanation(b"").save(tmp_path / "overlay.png")


def test_save_says_where_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(OptionInvalid, match="cannot be written: No such file or directory"):
        explanation(b"png").save(tmp_path / "none" / "overlay.png")
    with pytest.raises(OptionInvalid, match="'' cannot be written: No such file or directory"):
        explanation(b"png").save("")
    with pytest.raises(OptionInvalid, match="cannot be written: it is not a path"):
        explanation(b"png").save(tmp_path / "over\0lay.png")
