"""What is tuned: the part of a Triton configuration that machines disagree about."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.triton_config import preferred_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tritonclient.grpc.model_config_pb2 import ModelConfig

TUNED_PARAMETER: Final = "tuned"
_MOST: Final = 2**31 - 1
"""The largest number that Triton's configuration takes of instances and of pictures in a batch."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One candidate: instances of the model, its largest batch, and how long a batch may wait."""

    instances: int
    largest_batch: int
    delay_us: int

    def __str__(self) -> str:
        instances = f"{self.instances} instance{'s' if self.instances > 1 else ''}"
        return f"{instances}, batches to {self.largest_batch}, delay {self.delay_us / 1e3:g} ms"


class _Tuned(BaseModel):
    """What a configuration says that it was tuned to; all further figures are what was measured."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[int | float, Field(ge=0)]] = Field(init=False)

    instances: int = Field(ge=1, le=_MOST)
    largest_batch: int = Field(ge=1, le=_MOST)
    delay_us: int = Field(ge=0, le=_MOST)


def candidates(
    instances: Sequence[int], batches: Sequence[int], delays_us: Sequence[int]
) -> list[Setting]:
    """Return every combination that differs: a batch of one waits for nobody."""
    return [
        Setting(*found)
        for found in itertools.product(instances, batches, delays_us)
        if found[1] > 1 or found[2] == min(delays_us)
    ]


def setting_of(config: ModelConfig) -> Setting:
    """Return the setting that a configuration has."""
    return Setting(
        sum(group.count for group in config.instance_group) or 1,
        max(1, config.max_batch_size),
        config.dynamic_batching.max_queue_delay_microseconds,
    )


def apply(config: ModelConfig, setting: Setting) -> None:
    """Change a configuration to a setting, its preferred batches and warm-ups with it.

    One without batches, as OpenVINO's backend has it, stays so.
    """
    for group in config.instance_group:
        group.count = setting.instances
    if not config.max_batch_size:
        return
    config.max_batch_size = setting.largest_batch
    batching = config.dynamic_batching
    batching.max_queue_delay_microseconds = setting.delay_us
    batching.preferred_batch_size[:] = preferred_batches(setting.largest_batch)
    if config.model_warmup:
        _warm_up_largest(config)


def _warm_up_largest(config: ModelConfig) -> None:
    """Warm up the largest batch behind the first warm-up, which is of a single picture."""
    del config.model_warmup[1:]
    if config.max_batch_size > 1:
        largest = config.model_warmup.add()
        largest.CopyFrom(config.model_warmup[0])
        largest.batch_size = config.max_batch_size
        largest.name = f"batch of {config.max_batch_size}"


def remember(config: ModelConfig, setting: Setting, measured: dict[str, float]) -> None:
    """Write into a configuration that it was tuned, to what and by which figures."""
    apply(config, setting)
    facts = {**asdict(setting), **measured}
    config.parameters[TUNED_PARAMETER].string_value = json.dumps(facts)


def carry_over(tuned: ModelConfig, config: ModelConfig) -> None:
    """Give a new version's configuration what the earlier one was tuned to, if it was.

    Raises:
        RepositoryInvalid: what stands there is no setting; nothing was changed.
    """
    if TUNED_PARAMETER not in tuned.parameters:
        return
    try:
        facts = _Tuned.model_validate_json(tuned.parameters[TUNED_PARAMETER].string_value)
    except ValidationError as error:
        raise RepositoryInvalid(
            f"What {tuned.name} was tuned to cannot be read; tune it again with `pawsight tune`."
        ) from error
    setting = Setting(facts.instances, facts.largest_batch, facts.delay_us)
    remember(config, setting, facts.__pydantic_extra__)
