"""What tests of the explainer as a child process share."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pawsight_serving.explanations.queries import Query
from pawsight_serving.requests.calls import Call
from pawsight_serving.requests.deadlines import Deadline
from tests.serving.fakes import picture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pawsight_proto.v1 import pawsight_pb2 as pb
    from pawsight_serving.gateway.child_process import ChildProcess
    from pawsight_serving.gateway.explainer_client import ExplainerClient

DEAF = """
import json, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(json.dumps({"address": "127.0.0.1:1"}), flush=True)
time.sleep(60)
"""


@asynccontextmanager
async def running(
    sidecar: ChildProcess, client: ExplainerClient, *, grace_s: float = 10
) -> AsyncIterator[int]:
    """Start a process, give its id once it takes calls, and stop it."""
    sidecar.start(client)
    try:
        assert await sidecar.wait_reachable(30)
        assert sidecar.pid is not None
        yield sidecar.pid
    finally:
        await sidecar.stop(grace_s)


async def explain(client: ExplainerClient, model: str = "") -> pb.ExplainResponse:
    call = Call("id", Deadline.after(10))
    return await client.explain(Query(model=model), [picture()], call, tensors=True)


async def ended(pid: int) -> None:
    """Wait until there is no such process, within a bound."""
    async with asyncio.timeout(10):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            await asyncio.sleep(0.01)
