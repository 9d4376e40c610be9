"""Shared memory, which the protocol has and this server does not offer."""

from __future__ import annotations

from pawsight_serving.errors import OptionInvalid


def refuse_shared_memory(region: str | None) -> None:
    """Refuse a tensor that is to be read from or written to shared memory.

    Raises:
        OptionInvalid: a region is named.
    """
    if region is not None:
        raise OptionInvalid(
            "Shared memory is not offered; leave its parameters out, and the tensors are sent in "
            "the request and in the answer."
        )
