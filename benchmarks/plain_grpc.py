"""The least gRPC server that predicts: it decodes and infers in a thread, and does nothing else.

    python -m benchmarks.plain_grpc --picture cat.jpg [--model cats_dogs_vgg16]

It has no bounds, deadlines, metrics, logs or keys. What it adds to a bare call is what the library
and the hand-over to a thread add, for any server. `benchmarks/lone_caller.py` starts it; it says
where it listens and lives until it is told to end.
"""

from __future__ import annotations

import argparse
import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import uvloop

from benchmarks.serving import THREADS, Bare
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightServicer, add_PawsightServicer_to_server
from pawsight_serving.messages.predictions import predict_response
from pawsight_serving.predictions import Predictions

if TYPE_CHECKING:
    from pawsight_proto.v1.pawsight_pb2 import PredictRequest, PredictResponse

LISTENS: Final = "listens on grpc://"


class Plain(PawsightServicer):
    """Decodes a picture and runs the graph on it."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self._threads = ThreadPoolExecutor(THREADS)

    async def Predict(  # noqa: N802
        self,
        request: PredictRequest,
        context: Any,  # noqa: ARG002
    ) -> PredictResponse:
        """Return an answer without predictions, once the first picture's are made."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._bare.predict, request.images[0])
        return predict_response(Predictions("plain", "1", "", []), "")


async def serve(bare: Bare) -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server()
    plain: Any = Plain(bare)  # type: ignore[abstract]
    add_PawsightServicer_to_server(plain, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"{LISTENS}127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


def main() -> None:
    """Serve the model."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", default="cats_dogs_vgg16")
    arguments.add_argument("--repository", type=Path, default=Path("model_repository"))
    arguments.add_argument("--picture", type=Path, required=True, help="run once before the start")
    options = arguments.parse_args()
    bare = Bare(options.repository, options.model, options.picture.read_bytes())
    bare.run(1, 1)
    uvloop.run(serve(bare))


if __name__ == "__main__":
    main()
