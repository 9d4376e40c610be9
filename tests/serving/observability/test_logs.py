from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("library", ["uvicorn.error", "python_multipart.multipart"])
def test_what_a_library_says_of_one_request_is_left_to_the_requests_own_line(library: str) -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import logging; "
            "from pawsight_serving.observability.logs import start_logging; start_logging(); "
            f"logger = logging.getLogger({library!r}); "
            "logger.warning('left'); logger.error('told')",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert "told" in told
    assert "left" not in told


def test_of_a_broken_tiff_neither_pillow_nor_libtiff_writes_a_line_of_its_own() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import ctypes, logging; from PIL import _imaging; "
            "from pawsight_serving.observability.logs import start_logging; start_logging(); "
            "logging.getLogger('PIL.TiffImagePlugin').error('More samples per pixel'); "
            "tiff = ctypes.CDLL(_imaging.__file__); "
            "tiff.TIFFError(b'LZWDecode', b'Not enough data'); "
            "tiff.TIFFWarning(b'TIFFReadDirectory', b'Unknown field')",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert not told


_FAILED_HANDSHAKE = """
from pawsight_serving.observability.logs import start_logging
start_logging()
import socket, grpc, trustme
from concurrent.futures import ThreadPoolExecutor
issued = trustme.CA().issue_cert("localhost")
pair = issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes()
server = grpc.server(ThreadPoolExecutor(1))
port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
server.start()
with socket.create_connection(("127.0.0.1", port)) as plain:
    plain.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
    while plain.recv(1000):
        pass
server.stop(0).wait()
"""


def test_of_a_failed_handshake_grpc_writes_no_line_of_its_own() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    told = subprocess.run(
        [sys.executable, "-c", _FAILED_HANDSHAKE],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=60,
    ).stderr
    assert not told


_TWO_ANSWERS_FAIL = """
import logging
from grpc._cython.cygrpc import ExecuteBatchError
from pawsight_serving.observability.logs import start_logging
start_logging()
for error in (
    ExecuteBatchError('Failed "execute_batch": (<SendMessageOperation object>,)'),
    ExecuteBatchError("Failed grpc_call_start_batch: 11 with grpc_call_error value: 'invalid'"),
):
    logging.getLogger("grpc._cython.cygrpc").error("raised in core", exc_info=error)
"""


def test_of_an_answer_that_does_not_reach_its_caller_grpc_writes_no_traceback() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _TWO_ANSWERS_FAIL], capture_output=True, text=True, check=True
    ).stderr
    assert "execute_batch" not in told
    assert "grpc_call_start_batch" in told
