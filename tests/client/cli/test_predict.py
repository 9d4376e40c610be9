"""`pawsight predict`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.client.twin import DIGEST, MODEL, PROBABILITIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


def test_several_pictures(run: Callable[..., Result], url: str, cat: Path, dog: Path) -> None:
    result = run("predict", cat, dog, "--server", url)
    assert result.exit_code == 0
    width = len(str(dog))
    assert result.stdout.splitlines() == [f"{cat!s:{width}}  cat   75.0%", f"{dog}  dog   87.5%"]


def test_a_picture_that_fails_leaves_the_others(
    run: Callable[..., Result], url: str, cat: Path, dog: Path
) -> None:
    result = run("predict", cat, "none.jpg", dog, "--server", url)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr == "none.jpg: 'none.jpg' cannot be read: No such file or directory.\n"


def test_json(run: Callable[..., Result], url: str, cat: Path) -> None:
    result = run("predict", cat, "none.jpg", "--json", "--server", url)
    answered, failed = map(json.loads, result.stdout.splitlines())
    assert answered == {
        "picture": str(cat),
        "label": "cat",
        "score": 0.75,
        "probabilities": PROBABILITIES["cat"],
        "model": MODEL,
        "version": "3",
        "digest": DIGEST,
        "request_id": "request-1",
    }
    assert failed["picture"] == "none.jpg"
    assert failed["code"] == "IMAGE_UNREADABLE"
    assert result.exit_code == 1


def test_the_model_is_passed_on(run: Callable[..., Result], url: str, cat: Path) -> None:
    result = run("predict", cat, "--model", "none", "--server", url)
    assert (result.exit_code, result.stderr) == (1, f"{cat}: Do something else.\n")


def test_an_unreachable_server_is_told_once(
    run: Callable[..., Result], cat: Path, dog: Path
) -> None:
    result = run("predict", cat, dog, "--server", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert result.stderr.count("No server answers") == 1


def test_no_picture_is_a_usage_error(run: Callable[..., Result]) -> None:
    assert run("predict").exit_code == 2
