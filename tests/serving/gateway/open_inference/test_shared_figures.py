from __future__ import annotations

from pathlib import Path

import pytest

from pawsight_serving.gateway.metrics import SHARED_FOLDER
from pawsight_serving.gateway.open_inference.shared_figures import SharedFigures


def test_each_process_sees_the_newest_rows_of_the_others(tmp_path: Path) -> None:
    one, two, three = (SharedFigures(tmp_path, 2) for _ in range(3))
    one.write("tiny/1", (1, 10))
    one.write("tiny/1", (2, 20))
    two.write("tiny/1", (3, 2**40))
    two.write("tiny/2", (9, 9))
    assert sorted(three.of_others("tiny/1")) == [(2, 20), (3, 2**40)]
    assert list(one.of_others("tiny/1")) == [(3, 2**40)]
    assert list(one.of_others("never ran")) == []


def test_a_key_may_hold_anything(tmp_path: Path) -> None:
    one, two = (SharedFigures(tmp_path, 1) for _ in range(2))
    odd = "../*?[猫]" * 100
    one.write(odd, (1,))
    assert list(two.of_others(odd)) == [(1,)]


def test_a_row_that_is_not_written_yet_is_left_out(tmp_path: Path) -> None:
    one, two = (SharedFigures(tmp_path, 1) for _ in range(2))
    one.write("tiny/1", (1,))
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"")
    assert list(two.of_others("tiny/1")) == []


def test_a_disk_that_takes_nothing_stops_no_one(tmp_path: Path) -> None:
    gone = SharedFigures(tmp_path / "gone", 1)
    gone.write("tiny/1", (1,))
    assert list(gone.of_others("tiny/1")) == []


def test_processes_that_count_metrics_together_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SHARED_FOLDER, raising=False)
    assert SharedFigures.of_this_gateway(1) is None
    monkeypatch.setenv(SHARED_FOLDER, str(tmp_path))
    one, two = (SharedFigures.of_this_gateway(1) for _ in range(2))
    assert one is not None
    assert two is not None
    one.write("tiny/1", (7,))
    assert list(two.of_others("tiny/1")) == [(7,)]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="/proc is not here")
def test_versions_that_come_and_go_leave_no_file_open(tmp_path: Path) -> None:
    one = SharedFigures(tmp_path, 1)
    for version in range(20):
        one.write(f"tiny/{version}", (version,))
    opened = [each.resolve() for each in Path("/proc/self/fd").iterdir()]
    assert not [each for each in opened if each.is_relative_to(tmp_path.resolve())]
