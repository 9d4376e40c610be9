"""The README's commands and code, run as they stand, against the shipped models."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.photographs import cat_jpeg
from tests.processes import Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parent.parent
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
BLOCKS = BLOCK.findall((PROJECT / "README.md").read_text())
CALLS = [
    block
    for language, block in BLOCKS
    if language == "sh" and block.startswith(("curl", "pawsight predict"))
]
SNIPPETS = [block for language, block in BLOCKS if language == "python"]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(PROJECT / "model_repository") as served:
        yield served


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("cat.jpg", "dog.jpg"):
        (tmp_path / name).write_bytes(cat_jpeg())
    return tmp_path


def run(command: list[str], served: Served, home: Path) -> str:
    scripts = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PAWSIGHT_SERVER": served.http,
    }
    done = subprocess.run(
        command, cwd=home, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def at(served: Served, text: str) -> str:
    """Point a README's text at the ports of this test."""
    http, grpc = served.http.removeprefix("http://"), served.grpc.removeprefix("grpc://")
    return text.replace("localhost:8080", http).replace("localhost:50051", grpc)


def test_the_readme_has_what_is_run_here() -> None:
    assert len(CALLS) == 3
    assert len(SNIPPETS) == 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
@pytest.mark.parametrize("call", CALLS)
def test_the_commands_work(served: Served, home: Path, call: str) -> None:
    said = run(["bash", "-euo", "pipefail", "-c", at(served, call)], served, home)
    if ":predict" in call:
        assert '"label":"cat"' in said
    pictures = list(home.glob("*.png"))
    assert bool(pictures) == ("overlay.png" in call)
    for picture in pictures:
        with Image.open(picture) as drawn:
            assert drawn.width >= 300


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_the_python_code_works(served: Served, home: Path, snippet: str) -> None:
    run([sys.executable, "-c", at(served, snippet)], served, home)
    assert (home / "overlay.png").is_file() == ("overlay.png" in snippet)
