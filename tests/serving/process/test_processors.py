from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.process.processors import usable_processors

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)


@pytest.mark.usefixtures("eight")
@pytest.mark.parametrize(
    ("limit", "processors"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("20000 100000", 1),
        ("9000000 100000", 8),
        ("", 8),
    ],
)
def test_a_containers_limit_counts(tmp_path: Path, limit: str, processors: int) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(limit)
    assert usable_processors(quota) == processors


@pytest.mark.usefixtures("eight")
def test_no_container_leaves_all(tmp_path: Path) -> None:
    assert usable_processors(tmp_path / "cpu.max") == 8


def test_a_system_without_affinity_counts_its_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert usable_processors(tmp_path / "cpu.max") == 3
