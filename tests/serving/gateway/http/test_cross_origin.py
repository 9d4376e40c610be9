from __future__ import annotations

import httpx
from starlette.responses import PlainTextResponse

from pawsight_serving.gateway.http.cross_origin import CrossOrigin


async def test_a_page_may_read_the_headers_that_say_what_an_answer_is_of() -> None:
    app = CrossOrigin(PlainTextResponse("answer"), ["https://page.example"])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway"
    ) as http:
        answer = await http.get("/", headers={"origin": "https://page.example"})
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    for name in ("digest", "layer", "target", "channels"):
        assert f"x-pawsight-{name}" in exposed
    assert {"x-request-id", "retry-after"} <= set(exposed)
