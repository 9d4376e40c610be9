"""When the deadline of a call passes for its caller, which is a little before it does here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from pawsight_serving.requests.deadlines import Deadline

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

# gRPC's C core sends two digits of a timeout and rounds them up, from a second on.
_ROUNDED_UP_BY: Final = 0.01
# What both sides' clocks and the way between them may differ by.
_APART_S: Final = 0.01


def callers_deadline(context: ServicerContext[Any, Any]) -> Deadline:
    """Return the moment from which a caller who leaves has seen its own deadline pass.

    Ask for it as the call begins.
    """
    remaining_s = context.time_remaining()
    if remaining_s is None:
        return Deadline(math.inf)
    return Deadline.after(remaining_s * (1 - _ROUNDED_UP_BY) - _APART_S)
