from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.gateway.http import schemas
from tests.serving.fakes import picture

if TYPE_CHECKING:
    import httpx
    from pydantic import BaseModel


def strictly(schema: type[BaseModel]) -> type[BaseModel]:
    """Return the schema, closed against what it does not name."""
    return type(schema.__name__, (schema,), {"__module__": __name__, "model_config": CLOSED})


CLOSED = {"extra": "forbid"}


@pytest.mark.parametrize(
    ("method", "path", "schema"),
    [
        ("POST", "/v1/models/tiny:predict", schemas.PredictAnswer),
        ("POST", "/v1/models/tiny:explain", schemas.ExplainAnswer),
        ("POST", "/v1/models/tiny:explain?method=activations", schemas.ExplainAnswer),
        ("GET", "/v1/models", schemas.ModelsAnswer),
        ("GET", "/v1/models/tiny", schemas.ModelAnswer),
        ("GET", "/healthz", schemas.StatusAnswer),
        ("GET", "/readyz", schemas.StatusAnswer),
        ("GET", "/nope", schemas.ErrorAnswer),
    ],
)
async def test_real_answers_have_the_documented_shape(
    http: httpx.AsyncClient, method: str, path: str, schema: type[BaseModel]
) -> None:
    answer = await http.request(method, path, content=picture() if method == "POST" else None)
    strictly(schema).model_validate(answer.json())


async def test_real_explanations_have_the_documented_fields(http: httpx.AsyncClient) -> None:
    for query in ("", "?method=activations"):
        answer = await http.post(f"/v1/models/tiny:explain{query}", content=picture())
        (explanation,) = answer.json()["explanations"]
        strictly(schemas.ExplanationAnswer).model_validate(explanation)
