from __future__ import annotations

import pytest

from pawsight_serving.errors import Overloaded
from pawsight_serving.requests.admission import Admission
from pawsight_serving.requests.byte_budget import ByteBudget
from pawsight_serving.requests.deadlines import Deadline


def test_who_comes_when_all_places_are_taken_is_refused_at_once() -> None:
    admission = Admission(2)
    with admission.place(), admission.place():
        assert admission.in_flight == 2
        with (
            pytest.raises(Overloaded, match="at most 2 requests of this kind at once"),
            admission.place(),
        ):
            pass
    assert admission.in_flight == 0
    assert admission.refused == 1
    with admission.place():
        assert admission.in_flight == 1


def test_bytes_are_bounded_too_and_given_back() -> None:
    held = ByteBudget(100)
    admission = Admission(9, held)
    with admission.place(60) as first, admission.place(30) as second:
        with pytest.raises(Overloaded, match="100 bytes"), admission.place(11):
            pass
        with second.more(10):
            assert held.held == 100
            with pytest.raises(Overloaded):
                first.grow(1)
        first.grow(10)
        assert held.held == 100
        assert admission.in_flight == 2
    assert (admission.in_flight, held.held, admission.refused) == (0, 0, 2)


def test_two_admissions_may_share_their_bytes() -> None:
    held = ByteBudget(100)
    predictions, explanations = Admission(9, held), Admission(9, held)
    with predictions.place(60):
        with pytest.raises(Overloaded, match="100 bytes"), explanations.place(41):
            pass
        with explanations.place(40):
            assert held.held == 100
    assert held.held == 0


def test_a_failure_gives_its_place_back() -> None:
    held = ByteBudget(10)
    admission = Admission(1, held)

    def fail() -> None:
        with admission.place(5) as place:
            place.grow(5)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (admission.in_flight, held.held) == (0, 0)


def test_it_knows_for_how_long_nobody_was_in(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 50.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    admission = Admission(2)
    assert admission.idle_s() == float("inf")
    with admission.place():
        now_s += 1
        assert admission.idle_s() == 0
    now_s += 2
    assert admission.idle_s() == 2


def test_a_stream_that_brings_nothing_holds_a_place_and_rests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 50.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    held = ByteBudget(10)
    admission = Admission(1, held)
    with admission.stream() as place:
        assert (admission.in_flight, admission.served) == (1, 0)
        assert admission.idle_s() == float("inf")
        with pytest.raises(Overloaded, match="1 requests"), admission.place():
            pass
        with place.more(10):
            assert (admission.served, admission.idle_s(), held.held) == (1, 0, 10)
        now_s += 3
        assert (admission.served, admission.idle_s(), held.held) == (0, 3, 0)
    assert admission.in_flight == 0


def test_who_would_be_answered_too_late_is_refused_at_once_and_told_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 50.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    admission = Admission(99)
    patient, hasty = Deadline.after(60), Deadline.after(2.2)
    with admission.place(0, hasty), admission.work(1, hasty):
        now_s += 0.5
    hasty = Deadline.after(2.2)
    with admission.work(2, patient):
        with admission.place(0, hasty):
            pass
        with pytest.raises(Overloaded, match=r"another 2\.0 seconds"), admission.work(2, hasty):
            pass
        with admission.work(1, patient):
            with pytest.raises(Overloaded) as refused, admission.place(0, hasty):
                pass
            assert refused.value.retry_after_s == pytest.approx(2.0)
            with admission.place(0, patient), admission.place():
                pass
    with admission.place(0, hasty):
        assert admission.in_flight == 1
    assert admission.refused == 2


def test_alone_nobody_is_too_late() -> None:
    """Else one slow answer would keep everybody out for ever."""
    admission, late = Admission(1), Deadline.after(-1)
    with admission.place(0, late), admission.work(1, late):
        pass


def test_over_the_count_the_time_to_wait_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 50.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    admission, patient = Admission(1), Deadline.after(999)
    with admission.place(), admission.work(1, patient):
        with pytest.raises(Overloaded) as refused, admission.place():
            pass
        assert refused.value.retry_after_s == 1
        now_s += 7
        with pytest.raises(Overloaded) as refused, admission.place():
            pass
    assert refused.value.retry_after_s == 7
