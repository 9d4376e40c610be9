from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import Overloaded
from pawsight_serving.gateway.metrics import Metrics
from pawsight_serving.observability.observation import Observer, failed_with, stage
from pawsight_serving.predictions import Prediction, Predictions
from tests.serving.gateway.conftest import unheard

if TYPE_CHECKING:
    from pawsight_serving.readiness import Readiness
    from tests.serving.fakes import FakeEngine


def lines(metrics: Metrics) -> list[str]:
    return metrics.exposition().decode().splitlines()


def test_a_request_is_counted_by_code_and_timed_by_stage() -> None:
    metrics = Metrics()
    with Observer(metrics).request("http", "predict", "id"):
        assert 'pawsight_in_flight{protocol="http"} 1.0' in lines(metrics)
        with stage("decode"):
            pass
        failed_with("IMAGE_INVALID")
    said = lines(metrics)
    labels = '{code="IMAGE_INVALID",method="predict",protocol="http"}'
    assert f"pawsight_requests_total{labels} 1.0" in said
    assert 'pawsight_request_seconds_count{method="predict",protocol="http"} 1.0' in said
    assert 'pawsight_stage_seconds_count{stage="decode"} 1.0' in said
    assert 'pawsight_in_flight{protocol="http"} 0.0' in said


def test_refusals_are_counted() -> None:
    metrics = Metrics()
    with Observer(metrics).request("grpc", "explain", "id"):
        failed_with(Overloaded.code)
    assert 'pawsight_refused_total{method="explain",protocol="grpc"} 1.0' in lines(metrics)


def test_predictions_are_counted_by_class_and_confidence() -> None:
    metrics = Metrics()
    observer = Observer(metrics)
    cats = [Prediction("cat", score, {"cat": score, "dog": 1 - score}) for score in (0.55, 0.97)]
    with observer.request("http", "predict", "id"):
        observer.predicted(Predictions("tiny", "1", "sha256:a", cats))
    said = lines(metrics)
    labels = 'label="cat",model="tiny",version="1"'
    assert f"pawsight_predictions_total{{{labels}}} 2.0" in said
    assert f'pawsight_prediction_score_bucket{{label="cat",le="0.6",{labels[12:]}}} 1.0' in said
    assert 'pawsight_batch_pictures_bucket{le="2.0",model="tiny"} 1.0' in said


async def test_the_engines_state_is_as_the_last_round_saw_it(
    readiness: Readiness, engine: FakeEngine
) -> None:
    metrics = Metrics()
    await readiness.stop()
    await readiness.start(unheard, metrics.saw_readiness)
    assert {"pawsight_ready 1.0", 'pawsight_model_ready{model="tiny"} 1.0'} <= set(lines(metrics))
    await readiness.stop()
    assert {"pawsight_ready 0.0", 'pawsight_model_ready{model="tiny"} 0.0'} <= set(lines(metrics))


@pytest.mark.parametrize("error", [asyncio.CancelledError, ZeroDivisionError])
def test_whatever_ends_a_request_it_is_in_flight_no_more(error: type[BaseException]) -> None:
    metrics = Metrics()
    with pytest.raises(error), Observer(metrics).request("grpc", "predict", "id"):
        raise error
    assert 'pawsight_in_flight{protocol="grpc"} 0.0' in lines(metrics)


def test_answers_that_the_audit_misses_are_counted() -> None:
    metrics = Metrics()
    assert "pawsight_audit_dropped_total 0.0" in lines(metrics)
    metrics.missed_in_audit(2)
    assert "pawsight_audit_dropped_total 2.0" in lines(metrics)
