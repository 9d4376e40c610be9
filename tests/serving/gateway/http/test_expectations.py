from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_serving.gateway.http.expectations import closing_unless_asked

if TYPE_CHECKING:
    from starlette.types import Message

CLOSE = (b"connection", b"close")


@pytest.mark.parametrize(
    ("expect", "asks", "closes"),
    [
        (b"100-continue", False, True),
        (b"100-Continue", False, True),
        (b"100-continue", True, False),
        (b"", False, False),
    ],
)
async def test_only_an_answer_to_a_body_held_back_closes_the_connection(
    expect: bytes, asks: bool, closes: bool
) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [(b"expect", expect)]}
    ask, answer = closing_unless_asked(scope, receive, send)
    if asks:
        await ask()
    await answer({"type": "http.response.start", "status": 413, "headers": []})
    await answer({"type": "http.response.body", "body": b""})
    assert (CLOSE in sent[0]["headers"]) == closes
    assert len(sent) == 2
