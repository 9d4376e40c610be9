"""Callers who hold a body back until they are asked for it (`Expect: 100-continue`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send


def closing_unless_asked(scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Return channels of a request that close its connection where its body was never asked for.

    Who is answered without being asked may keep the body, and send another request, which would be
    taken for that body.
    """
    held_back = Headers(scope=scope).get("expect", "").lower() == "100-continue"
    if not held_back:
        return receive, send

    async def ask() -> Message:
        nonlocal held_back
        held_back = False
        return await receive()

    async def answer(message: Message) -> None:
        if held_back and message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return ask, answer
