"""Requests that a caller sends before the answers to those before them (RFC 9112, 9.3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.flow_control import FlowControl

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sized


class PipelineFlow(FlowControl):
    """uvicorn's flow control, which reads nothing more while requests wait for their turn.

    uvicorn reads on with each answer that ends, and so queues without bound.

    Args:
        transport: the connection's.
        queued: the requests that wait.
    """

    def __init__(self, transport: asyncio.Transport, queued: Sized) -> None:
        super().__init__(transport)
        self._queued = queued

    def resume_reading(self) -> None:
        """Read on, unless requests wait."""
        if not self._queued:
            super().resume_reading()
