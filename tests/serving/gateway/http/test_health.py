from __future__ import annotations

from typing import TYPE_CHECKING

from tests.serving.fakes import picture

if TYPE_CHECKING:
    import httpx

    from pawsight_serving.readiness import Readiness


async def test_alive_and_ready_are_two_things(
    http: httpx.AsyncClient, readiness: Readiness
) -> None:
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).status_code == 200
    await readiness.stop()
    assert (await http.get("/healthz")).status_code == 200
    answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "ENGINE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    assert (await http.get("/v1/models/tiny")).json()["state"] == "UNAVAILABLE"


async def test_metrics_are_for_prometheus(http: httpx.AsyncClient) -> None:
    await http.post("/v1/models/tiny:predict", content=picture())
    answer = await http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'pawsight_requests_total{code="OK",method="predict",protocol="http"} 1.0' in answer.text
    assert "pawsight_explainer_in_flight 0.0" in answer.text, "the sidecar's follow"
