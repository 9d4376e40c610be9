"""The program, run in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pawsight_client.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def run() -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    (tmp_path / "cat.jpg").write_bytes(b"cat")
    return tmp_path / "cat.jpg"


@pytest.fixture
def dog(tmp_path: Path) -> Path:
    (tmp_path / "a-dog.jpg").write_bytes(b"dog")
    return tmp_path / "a-dog.jpg"
