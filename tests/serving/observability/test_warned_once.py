from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pawsight_serving.observability.warned_once import WarnedOnce

if TYPE_CHECKING:
    import pytest


def test_each_fault_is_logged_when_it_comes(caplog: pytest.LogCaptureFixture) -> None:
    warnings = WarnedOnce(logging.getLogger("looking"))
    for faults in (
        {"a": "a is broken"},
        {"a": "a is broken", "b": "b is broken"},
        {"a": "a is worse", "b": "b is broken"},
        {},
        {"a": "a is worse"},
    ):
        warnings.warn(faults)
    assert [record.getMessage() for record in caplog.records] == [
        "a is broken",
        "b is broken",
        "a is worse",
        "a is worse",
    ]
