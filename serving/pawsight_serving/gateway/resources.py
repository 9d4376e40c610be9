"""The parts that the cores of both protocols share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pawsight_serving.engines.protocol import Engine
    from pawsight_serving.observability.observation import Observer
    from pawsight_serving.pictures.decoder import Decoder
    from pawsight_serving.readiness import Readiness
    from pawsight_serving.requests.admission import Admission


@dataclass(frozen=True, slots=True)
class Resources:
    """The shared parts of one gateway.

    Args:
        engine: a started engine.
        decoder: what decodes pictures.
        admission: the bound on predictions in flight.
        explain_admission: the bound on explanations in flight: a crowd there keeps nobody out of
            predictions.
        readiness: says which models answer, and is told of every answer of the engine.
        observer: is told of every request and every prediction.
    """

    engine: Engine
    decoder: Decoder
    admission: Admission
    explain_admission: Admission
    readiness: Readiness
    observer: Observer
