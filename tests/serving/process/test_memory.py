from __future__ import annotations

import asyncio
import ctypes
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.process import memory
from pawsight_serving.process.memory import (
    give_back,
    giving_back_after_crowds,
    keep_one_heap,
    resident_bytes,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_the_c_library_is_asked_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []
    library = SimpleNamespace(
        malloc_trim=lambda *values: asked.append(values),
        mallopt=lambda *values: asked.append(values),
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    give_back()
    keep_one_heap()
    assert asked == [(0,), (-8, 1)]
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())
    give_back()
    keep_one_heap()


def test_here_it_harms_nothing() -> None:
    give_back()


def test_with_one_heap_threads_make_none_of_their_own() -> None:
    """In a process of its own, as it is for good."""
    program = """if True:
        import sys, threading
        from pawsight_serving.process.memory import keep_one_heap
        if sys.argv[1] == "one":
            keep_one_heap()
        from ctypes import CDLL
        ready, done = threading.Barrier(5), threading.Event()
        def hold():
            CDLL(None).malloc(100)
            ready.wait(10)
            done.wait(10)
        threads = [threading.Thread(target=hold) for _ in range(4)]
        for each in threads:
            each.start()
        ready.wait(10)
        CDLL(None).malloc_stats()
        done.set()
    """
    if not hasattr(ctypes.CDLL(None), "malloc_stats"):
        pytest.skip("not glibc, which keeps a heap a thread")
    heaps = {}
    for how in ("one", "many"):
        command = [sys.executable, "-c", program, how]
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        heaps[how] = said.stderr.count("Arena ")
    assert heaps["one"] == 1 < heaps["many"]


def test_this_process_has_some_memory_or_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = resident_bytes()
    held = bytearray(b"x") * 50_000_000
    assert resident_bytes() - before > 0.9 * len(held)
    monkeypatch.setattr(memory, "_STATM", tmp_path / "nothing")
    assert resident_bytes() == 0


@pytest.mark.parametrize(
    ("idle_s", "resident_mib", "given"),
    [
        pytest.param(9, [100, 150, 110, 110], 1, id="a crowd has gone"),
        pytest.param(0, [100, 150, 150, 150], 0, id="it is still here"),
        pytest.param(9, [100, 120, 131, 120], 0, id="it took little"),
        pytest.param(9, [100, 60, 95, 61, 61], 1, id="what is least counts"),
        pytest.param(9, [100, 200, 190, 195, 191], 1, id="what is in use is asked for once"),
    ],
)
async def test_what_a_crowd_took_is_given_back_once_it_has_gone(
    monkeypatch: pytest.MonkeyPatch, idle_s: float, resident_mib: list[int], given: int
) -> None:
    asked, looked = list[int](), asyncio.Event()
    seen = iter(resident_mib)

    def resident() -> int:
        try:
            return next(seen) << 20
        except StopIteration:
            looked.set()
            return 0

    monkeypatch.setattr(memory, "give_back", lambda: asked.append(1))
    monkeypatch.setattr(memory, "resident_bytes", resident)
    async with asyncio.timeout(10), giving_back_after_crowds(lambda: idle_s, look_s=0.001):
        await looked.wait()
    assert len(asked) == given
