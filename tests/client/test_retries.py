"""When to ask again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pawsight_client import (
    CertificateUntrusted,
    DeadlineExceeded,
    EngineUnavailable,
    ImageInvalid,
    InternalError,
    OptionInvalid,
    Overloaded,
    PawsightError,
    ServerUnreachable,
)
from pawsight_client._retries import (
    MOST_TIMEOUT_S,
    Attempts,
    RetryPolicy,
    check_client,
    check_timeout,
)


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def attempts(clock: Clock, *, retries: int = 5, timeout_s: float = 60.0) -> Attempts:
    policy = RetryPolicy(retries, first_pause_s=0.5, longest_pause_s=1.5)
    return Attempts(policy, timeout_s, clock=clock, jitter=max)


@pytest.mark.parametrize("kind", [Overloaded, EngineUnavailable, ServerUnreachable])
def test_what_may_pass_is_tried_again(clock: Clock, kind: type[PawsightError]) -> None:
    assert attempts(clock).pause_s(kind("Wait.")) == 0.5


@pytest.mark.parametrize(
    "kind", [ImageInvalid, InternalError, DeadlineExceeded, CertificateUntrusted]
)
def test_what_will_not_pass_is_raised(clock: Clock, kind: type[PawsightError]) -> None:
    with pytest.raises(kind):
        attempts(clock).pause_s(kind("No."))


def test_pauses_grow_up_to_the_longest(clock: Clock) -> None:
    tried = attempts(clock)
    assert [tried.pause_s(Overloaded("Wait.")) for _ in range(4)] == [0.5, 1.0, 1.5, 1.5]


def test_pauses_are_random_within_their_upper_half() -> None:
    policy = RetryPolicy(retries=200, first_pause_s=1.0, longest_pause_s=1.0)
    tried = Attempts(policy, 1000.0)
    pauses = [tried.pause_s(Overloaded("Wait.")) for _ in range(200)]
    assert all(0.5 <= pause <= 1.0 for pause in pauses)
    assert len(set(pauses)) > 100


def test_the_server_may_ask_for_more(clock: Clock) -> None:
    assert attempts(clock).pause_s(Overloaded("Wait.", retry_after_s=3.0)) == 3.5


def test_retries_are_counted(clock: Clock) -> None:
    tried = attempts(clock, retries=1)
    tried.pause_s(Overloaded("Wait."))
    with pytest.raises(Overloaded):
        tried.pause_s(Overloaded("Wait."))


def test_no_pause_outlasts_the_deadline(clock: Clock) -> None:
    tried = attempts(clock, timeout_s=1.0)
    clock.now_s += 0.6
    assert tried.remaining_s() == pytest.approx(0.4)
    with pytest.raises(Overloaded):
        tried.pause_s(Overloaded("Wait."))


def test_a_pause_that_leaves_no_time_to_ask_is_none(clock: Clock) -> None:
    assert attempts(clock, timeout_s=0.75).pause_s(Overloaded("Wait.")) == 0.5
    with pytest.raises(Overloaded):
        attempts(clock, timeout_s=0.5).pause_s(Overloaded("Wait."))


def test_no_time_is_left_after_the_deadline(clock: Clock) -> None:
    tried = attempts(clock, timeout_s=1.0)
    clock.now_s += 2.0
    assert 0 < tried.remaining_s() < 0.01


def test_a_timeout_may_be_numpys_and_is_bounded() -> None:
    assert check_timeout(np.float32(2.5)) == 2.5  # type: ignore[arg-type]
    assert check_timeout(MOST_TIMEOUT_S) == MOST_TIMEOUT_S
    check_client(np.float32(2.5), np.int64(1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("timeout_s", "kind"),
    [
        (0, DeadlineExceeded),
        (-1, DeadlineExceeded),
        (float("nan"), OptionInvalid),
        (float("inf"), OptionInvalid),
        ("3", OptionInvalid),
    ],
)
def test_a_timeout_is_a_number_of_seconds(timeout_s: Any, kind: type[PawsightError]) -> None:
    with pytest.raises(kind):
        check_timeout(timeout_s)


@pytest.mark.parametrize(
    ("timeout_s", "retries"), [(0, 2), (-1, 2), ("3", 2), (float("nan"), 2), (1, -1), (1, 1.5)]
)
def test_a_client_is_patient_for_a_number_of_seconds(timeout_s: Any, retries: Any) -> None:
    check_client(None, 0)
    check_client(0.5, 2)
    with pytest.raises(OptionInvalid):
        check_client(timeout_s, retries)
