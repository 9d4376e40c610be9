from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import RepositoryBusy
from pawsight_serving.repository.writing import (
    exclusive_writer,
    replace_file,
    restored_on_failure,
    signals_deferred,
)

if TYPE_CHECKING:
    from pathlib import Path

KILLED_WHILE_WRITING = """
import os, pathlib, signal, sys
from pawsight_serving.repository.writing import exclusive_writer
with exclusive_writer(pathlib.Path(sys.argv[1]), "tiny"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "other").mkdir()
    with (
        exclusive_writer(tmp_path, "tiny"),
        exclusive_writer(tmp_path, "other"),
        pytest.raises(RepositoryBusy, match="tiny"),
        exclusive_writer(tmp_path, "tiny"),
    ):
        raise AssertionError
    with exclusive_writer(tmp_path, "tiny"):
        pass


def test_a_writer_that_was_killed_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, tmp_path], timeout=60)
    assert killed.returncode == -9
    with exclusive_writer(tmp_path, "tiny"):
        pass


@pytest.mark.parametrize("made_again", [False, True])
def test_a_folder_that_was_removed_meanwhile_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_again: bool
) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()

    def removed_meanwhile(*_: object) -> None:
        folder.rmdir()
        if made_again:
            folder.mkdir()

    monkeypatch.setattr("fcntl.flock", removed_meanwhile)
    # While the first one is held, its number is not given to the second.
    with pytest.raises(RepositoryBusy, match="tiny"), exclusive_writer(tmp_path, "tiny"):
        raise AssertionError
    monkeypatch.undo()
    if not made_again:
        with pytest.raises(RepositoryBusy, match="tiny"), exclusive_writer(tmp_path, "tiny"):
            raise AssertionError


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_wait_for_the_end_of_a_change(number: signal.Signals) -> None:
    came: list[int] = []
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    before = signal.signal(number, lambda number, _: came.append(number))
    try:
        with signals_deferred():
            with signals_deferred():
                signal.raise_signal(number)
                signal.raise_signal(number)
            assert came == []
        assert came == [number]
        signal.raise_signal(number)
        assert came == [number, number]
    finally:
        signal.signal(number, before)
    assert {each: signal.getsignal(each) for each in handlers} == handlers


def test_in_another_thread_signals_are_none_of_its_business() -> None:
    def change() -> int:
        with signals_deferred():
            return 7

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(change).result(20) == 7


def test_a_file_that_cannot_be_written_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.pbtxt"
    path.write_bytes(b"one")

    def stopped(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", stopped)
    with pytest.raises(KeyboardInterrupt):
        replace_file(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "config.pbtxt"
    replace_file(path, b"one")
    before = path.stat()
    replace_file(path, b"one")
    assert path.stat() == before
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_ino != before.st_ino
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_the_files_as_they_were(tmp_path: Path, fault: BaseException) -> None:
    there, made = tmp_path / "there", tmp_path / "made"
    there.write_text("before")

    def write() -> None:
        with restored_on_failure([there, made]):
            there.write_text("after")
            made.write_text("after")
            raise fault

    with pytest.raises(type(fault)):
        write()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"there": "before"}


def test_what_succeeds_leaves_no_copies(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("before")
    with restored_on_failure([there]):
        there.write_text("after")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"there": "after"}


def test_where_there_is_no_room_for_copies_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    there.write_text("before")

    def full(source: Path, target: Path) -> None:
        target.write_text("bef")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"), restored_on_failure([there]):
        raise AssertionError
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"there": "before"}
