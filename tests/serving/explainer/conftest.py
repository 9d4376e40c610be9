from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.explainer.core import Explainer
from pawsight_serving.explainer.metrics import ExplainerMetrics
from pawsight_serving.explainer.queueing import Queue
from pawsight_serving.pictures.decoder import Decoder
from pawsight_serving.readiness import Readiness
from pawsight_serving.requests.admission import Admission
from pawsight_serving.requests.byte_budget import ByteBudget
from pawsight_serving.settings import ExplainerSettings
from pawsight_serving.threads.thread_pool import ThreadPool
from tests.serving.fakes import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def metrics() -> ExplainerMetrics:
    return ExplainerMetrics()


@pytest.fixture
def max_bytes() -> int:
    """What one request may hold."""
    return 10_000_000


@pytest.fixture
def bytes_held() -> ByteBudget:
    return ByteBudget(1_000_000)


@pytest.fixture
def readiness(engine: FakeEngine) -> Readiness:
    """It asks once a minute, so that in a test an answer counts to its end."""
    return Readiness(engine, ExplainerSettings(probe_interval_s=60))


@pytest.fixture
def explainer(
    engine: FakeEngine,
    metrics: ExplainerMetrics,
    max_bytes: int,
    bytes_held: ByteBudget,
    readiness: Readiness,
) -> Iterator[Explainer]:
    decoders, render_threads = ThreadPool(2, "decode"), ThreadPool(2, "render")
    admission = Admission(2, bytes_held)
    metrics.watch(admission)
    yield Explainer(
        engine,
        Decoder(decoders, ExplainerSettings()),
        render_threads,
        Queue(admission, 1, max_bytes),
        readiness,
        metrics,
        default_model="cats_dogs_vgg16",
        max_overlay_side=64,
    )
    render_threads.close()
    decoders.close()
