"""Its parts stand in for a gateway's, and have to keep step with them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from benchmarks import request_cost
from tests.photographs import cat_jpeg

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def test_every_part_has_its_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(request_cost, "SECONDS", 0.2)
    picture = tmp_path / "cat.jpg"
    picture.write_bytes(cat_jpeg())
    await request_cost.measure(picture, picture.read_bytes(), 20)
    costs = [int(cost) for cost in re.findall(r"(\d+) µs", capsys.readouterr().out)]
    assert len(costs) == 12
    assert costs[0] > costs[4], "to decode a picture takes longer than to write an answer"
