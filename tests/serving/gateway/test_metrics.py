from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.admission import Admission
from pawsight_serving.errors import ImageInvalid, Overloaded
from pawsight_serving.gateway.metrics import Metrics

if TYPE_CHECKING:
    from pawsight_serving.readiness import Readiness


def lines(metrics: Metrics) -> list[str]:
    return metrics.exposition().decode().splitlines()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ImageInvalid("?"), "IMAGE_INVALID"),
        (asyncio.CancelledError(), "CANCELLED"),
        (ZeroDivisionError(), "INTERNAL"),
    ],
)
def test_failures_are_counted_by_code_and_raised(error: BaseException, code: str) -> None:
    metrics = Metrics()
    with pytest.raises(type(error)), metrics.request("predict"):
        raise error
    assert f'pawsight_requests_total{{code="{code}",method="predict"}} 1.0' in lines(metrics)
    assert 'pawsight_request_seconds_count{method="predict"} 1.0' in lines(metrics)


async def test_readiness_and_places_are_as_they_are_now(readiness: Readiness) -> None:
    metrics, admission = Metrics(), Admission(1)
    metrics.watch(readiness, predict=admission)
    assert "pawsight_ready 1.0" in lines(metrics)
    with admission.place():
        assert 'pawsight_in_flight{method="predict"} 1.0' in lines(metrics)
        with pytest.raises(Overloaded):
            admission.check()
        assert 'pawsight_refused{method="predict"} 1.0' in lines(metrics)
    await readiness.stop()
    assert "pawsight_ready 0.0" in lines(metrics)
    assert 'pawsight_in_flight{method="predict"} 0.0' in lines(metrics)
