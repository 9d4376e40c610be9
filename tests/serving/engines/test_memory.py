from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import TYPE_CHECKING

from pawsight_serving.engines.memory import give_back

if TYPE_CHECKING:
    import pytest


def test_the_c_library_is_asked_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(malloc_trim=asked.append))
    give_back()
    assert asked == [0]
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())
    give_back()


def test_here_it_harms_nothing() -> None:
    give_back()
