from __future__ import annotations

from typing import TYPE_CHECKING

from pawsight_serving.process.ending import end_in_order

if TYPE_CHECKING:
    import pytest


async def test_a_part_that_fails_to_end_keeps_no_other_from_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: list[str] = []

    async def first() -> None:
        ended.append("first")
        raise RuntimeError("stuck")

    async def second() -> None:
        ended.append("second")

    await end_in_order(first, second)
    assert ended == ["first", "second"]
    assert "did not end as it should" in caplog.text
    assert "stuck" in caplog.text
