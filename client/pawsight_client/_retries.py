"""When to ask again, and when to give up.

All that can be asked is safe to ask twice, so what decides is whether it can help. Nothing is sent
and no time is spent here.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Final

from pawsight_client._errors import (
    CertificateUntrusted,
    DeadlineExceeded,
    OptionInvalid,
    Overloaded,
    PawsightError,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TRANSIENT: Final = (Overloaded, Unavailable)
# Sockets take zero for "do not wait at all", and say that nobody answers.
_LEAST_S: Final = 0.001
MOST_TIMEOUT_S: Final = 1e6


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a passing failure is met.

    Attributes:
        retries: attempts after the first.
        first_pause_s: upper end of the first pause; each further one doubles it.
        longest_pause_s: where the doubling ends.
    """

    retries: int = 2
    first_pause_s: float = 0.1
    longest_pause_s: float = 2.0


def check_client(timeout_s: float | None, retries: int) -> None:
    """Raise OptionInvalid where a client cannot be so patient."""
    if timeout_s is not None:
        try:
            check_timeout(timeout_s)
        except DeadlineExceeded:
            raise OptionInvalid("timeout_s must be a number of seconds above zero.") from None
    if not isinstance(retries, Integral) or retries < 0:
        raise OptionInvalid("retries must be a whole number from 0.")


def check_timeout(timeout_s: float) -> float:
    """Return the seconds that a call may take.

    Raises:
        DeadlineExceeded: none are left.
        OptionInvalid: they are no number, or more than a clock can count.
    """
    if not isinstance(timeout_s, Real):
        raise OptionInvalid(
            f"timeout_s must be a number of seconds, not {type(timeout_s).__name__}."
        )
    if timeout_s <= 0:
        raise DeadlineExceeded("No time is left to ask; allow more.")
    if not timeout_s <= MOST_TIMEOUT_S:
        raise OptionInvalid(f"timeout_s must be a number of seconds, at most {MOST_TIMEOUT_S:.0f}.")
    return float(timeout_s)


class Attempts:
    """The attempts at one operation, within one deadline."""

    def __init__(
        self,
        policy: RetryPolicy,
        timeout_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._jitter = jitter
        self._deadline = clock() + timeout_s
        self._failures = 0

    def remaining_s(self) -> float:
        """Return the seconds that the next attempt may take."""
        return max(_LEAST_S, self._deadline - self._clock())

    def pause_s(self, error: PawsightError) -> float:
        """Return the seconds to wait before the next attempt.

        The server's `Retry-After` is waited out in full, with jitter on top, so that those
        refused together do not come back together.

        Raises:
            PawsightError: `error` itself, where another attempt cannot help or has no time left.
        """
        policy = self._policy
        passing = isinstance(error, TRANSIENT) and not isinstance(error, CertificateUntrusted)
        if not passing or self._failures >= policy.retries:
            raise error
        longest = min(policy.longest_pause_s, policy.first_pause_s * 2**self._failures)
        pause = (error.retry_after_s or 0.0) + self._jitter(longest / 2, longest)
        if pause >= self.remaining_s():
            raise error
        self._failures += 1
        return pause
