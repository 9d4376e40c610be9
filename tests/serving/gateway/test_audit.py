from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pawsight_serving.errors import ConfigurationInvalid
from pawsight_serving.gateway import audit as audits
from pawsight_serving.gateway.audit import Audit
from pawsight_serving.observability.observation import Observer, identified_as
from pawsight_serving.predictions import Prediction, Predictions
from tests.serving.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

CAT = Prediction("cat", 0.75, {"cat": 0.75, "dog": 0.25})
ANSWER = Predictions("tiny", "1", "sha256:a", [CAT, CAT])
SENT = [b"one", b"two"]


@pytest.fixture
def missed() -> list[int]:
    return []


def predict(audit: Audit, *, times: int = 1, pictures: Any = SENT) -> None:
    observer = Observer(audit)
    for _ in range(times):
        with observer.request("http", "predict", "mine"):
            identified_as("alice")
            observer.predicted(ANSWER, pictures)


def written(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_each_picture_has_its_line(tmp_path: Path, missed: list[int]) -> None:
    audit = Audit(tmp_path / "audit", 1 << 20, missed.append)
    predict(audit)
    audit.close()
    lines = written(tmp_path / "audit")
    assert [line["picture"] for line in lines] == [
        "sha256:" + hashlib.sha256(data).hexdigest() for data in SENT
    ]
    assert lines[0].pop("time").startswith("20")
    lines[0].pop("picture")
    assert lines[0] == {
        "request_id": "mine",
        "caller": "alice",
        "model": "tiny",
        "version": "1",
        "digest": "sha256:a",
        "label": "cat",
        "probabilities": {"cat": 0.75, "dog": 0.25},
    }


def test_pixels_have_a_hash_too(tmp_path: Path, missed: list[int]) -> None:
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    audit = Audit(tmp_path / "audit", 1 << 20, missed.append)
    predict(audit, pictures=list(pixels))
    audit.close()
    digest = hashlib.sha256(pixels[1].tobytes()).hexdigest()
    assert written(tmp_path / "audit")[1]["picture"] == f"sha256:{digest}"


def test_lines_are_appended(tmp_path: Path, missed: list[int]) -> None:
    for _ in range(2):
        audit = Audit(tmp_path / "audit", 1 << 20, missed.append)
        predict(audit)
        audit.close()
    assert len(written(tmp_path / "audit")) == 4


def test_a_full_file_grows_no_more_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, missed: list[int]
) -> None:
    audit = Audit(tmp_path / "audit", 10, missed.append)
    predict(audit, times=3)
    audit.close()
    assert sum(missed) == 3
    assert (tmp_path / "audit").stat().st_size == 0
    (said,) = [record.getMessage() for record in caplog.records]
    assert "is full" in said


def test_a_file_may_have_all_bytes_that_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missed: list[int]
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1.5)
    for file, limit in (("first", 1 << 20), ("same", 0), ("shorter", -1)):
        if limit <= 0:
            limit += (tmp_path / "first").stat().st_size
        audit = Audit(tmp_path / file, limit, missed.append)
        predict(audit)
        audit.close()
    assert len(written(tmp_path / "same")) == 2
    assert written(tmp_path / "shorter") == []
    assert missed == [1]


@pytest.mark.parametrize(("every_s", "told"), [(60.0, [1]), (0.0, [1, 2, 3])])
def test_what_is_missing_is_told_at_times_and_counted_together(
    every_s: float,
    told: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    missed: list[int],
) -> None:
    monkeypatch.setattr(audits, "_MAX_WAITING", 0)
    monkeypatch.setattr(audits, "_COMPLAIN_EVERY_S", every_s)
    audit = Audit(tmp_path / "audit", 1 << 20, missed.append)
    predict(audit, times=3)
    audit.close()
    assert missed == [1, 1, 1]
    assert [record.getMessage() for record in caplog.records] == [
        f"the audit file misses {number} answers by now: it is written too slowly"
        for number in told
    ]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is not here")  # noqa: PTH110
def test_a_full_disk_harms_no_request(caplog: pytest.LogCaptureFixture, missed: list[int]) -> None:
    from pathlib import Path

    audit = Audit(Path("/dev/full"), 1 << 20, missed.append)
    predict(audit, times=2)
    audit.close()
    assert sum(missed) == 2
    assert "misses" in caplog.text


def test_what_a_slow_disk_cannot_take_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missed: list[int]
) -> None:
    monkeypatch.setattr(audits, "_MAX_WAITING_BYTES", 5)
    audit = Audit(tmp_path / "audit", 1 << 20, missed.append)
    predict(audit)
    audit.close()
    assert sum(missed) == 1
    assert not (tmp_path / "audit").exists()


def test_what_waits_for_a_slow_disk_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missed: list[int]
) -> None:
    file = tmp_path / "audit"
    is_writing, comes_back = threading.Event(), threading.Event()

    def hang(path: Path, mode: str, buffering: int) -> io.FileIO:
        is_writing.set()
        assert comes_back.wait(30)
        return io.FileIO(path, mode)

    size = sum(map(len, SENT))
    monkeypatch.setattr(audits, "_MAX_WAITING_BYTES", 2 * size)
    with monkeypatch.context() as patched:
        patched.setattr(type(file), "open", hang)
        audit = Audit(file, 1 << 20, missed.append)
        predict(audit)
        assert is_writing.wait(30)
        # What is being written waits no longer.
        predict(audit, times=3)
        assert missed == [1]
        comes_back.set()
        audit.close()
    assert len(written(file)) == 3 * len(SENT)


class FullAtFirst(io.FileIO):
    """A file on a disk that has room for ten bytes, and for more once the file is opened again."""

    def write(self, data: Any) -> int:
        return super().write(data[:10] if self.tell() == 0 else data)


async def test_half_a_line_spoils_none_that_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missed: list[int]
) -> None:
    file = tmp_path / "audit"
    with monkeypatch.context() as patched:
        patched.setattr(type(file), "open", lambda path, mode, buffering: FullAtFirst(path, mode))
        audit = Audit(file, 1 << 20, missed.append)
        predict(audit)
        await until(lambda: sum(missed) == 1)
        predict(audit)
        # Once more than that is there, all of it is: it is written at once.
        await until(lambda: file.stat().st_size > 10)
        predict(audit)
        audit.close()
    torn, *whole = file.read_bytes().splitlines()
    assert len(torn) == 10
    assert [json.loads(line)["model"] for line in whole] == ["tiny"] * 4


async def test_an_answer_that_cannot_be_written_down_costs_itself_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, missed: list[int]
) -> None:
    audit = Audit(tmp_path / "audit", 1 << 20, missed.append)
    broken = Prediction("cat", 0.75, {"cat": object()})  # type: ignore[dict-item]
    with Observer(audit).request("http", "predict", "mine") as observed:
        audit.predicted(observed, Predictions("tiny", "1", "sha256:a", [broken]), [b"one"])
        await until(lambda: sum(missed) == 1)
        audit.predicted(observed, ANSWER, SENT)
    audit.close()
    assert len(written(tmp_path / "audit")) == 2
    assert "could not be put into lines" in caplog.text


def test_a_file_that_cannot_be_written_ends_the_start(tmp_path: Path, missed: list[int]) -> None:
    for file in (tmp_path, tmp_path / "not" / "there"):
        with pytest.raises(ConfigurationInvalid, match="audit file"):
            Audit(file, 1000, missed.append)


def test_a_pipe_in_the_files_place_keeps_nobody_waiting(
    tmp_path: Path, missed: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "audit"
    audit = Audit(file, 1 << 20, missed.append)
    os.mkfifo(file)
    predict(audit)
    audit.close()
    assert missed == [1]
    assert "taken the file's place" in caplog.text
    assert "took nothing" not in caplog.text


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_may_keep_its_writer_waiting_ends_the_start(
    tmp_path: Path, missed: list[int], kind: str
) -> None:
    file = tmp_path / "audit"
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "pipe":
            os.mkfifo(file)
        else:
            listening.bind(str(file))
        with pytest.raises(ConfigurationInvalid, match="name a file"):
            Audit(file, 1000, missed.append)


OWN_OUTPUT = """
import sys
from pathlib import Path
from pawsight_serving.gateway.audit import Audit
from pawsight_serving.observability.observation import Observer
from pawsight_serving.predictions import Prediction, Predictions
audit = Audit(Path(sys.argv[1]), 1 << 20, print)
observer = Observer(audit)
cat = Prediction("cat", 0.75, {"cat": 0.75})
with observer.request("http", "predict", "mine"):
    observer.predicted(Predictions("tiny", "1", "sha256:a", [cat]), [b"one"])
audit.close()
"""


@pytest.mark.parametrize(("file", "lines"), [("/dev/stdout", 1), ("/dev/null", 0)])
def test_this_process_output_and_devices_take_lines(file: str, lines: int) -> None:
    command = [sys.executable, "-c", OWN_OUTPUT, file]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert [json.loads(line)["label"] for line in said.stdout.splitlines()] == ["cat"] * lines
    assert said.stderr == ""


def test_a_disk_that_hangs_holds_up_the_end_for_a_bounded_time(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    missed: list[int],
) -> None:
    file = tmp_path / "audit"
    comes_back = threading.Event()

    def hang(path: Path, mode: str, buffering: int) -> io.FileIO:
        comes_back.wait(30)
        return io.FileIO(path, mode)

    monkeypatch.setattr(audits, "_CLOSE_S", 0.05)
    monkeypatch.setattr(type(file), "open", hang)
    audit = Audit(file, 1 << 20, missed.append)
    predict(audit)
    audit.close()
    assert not comes_back.is_set()
    assert "the last answers are not in it" in caplog.text
    comes_back.set()
    monkeypatch.setattr(audits, "_CLOSE_S", 30.0)
    audit.close()
    monkeypatch.undo()
    assert len(written(file)) == 2
