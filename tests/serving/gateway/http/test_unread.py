from __future__ import annotations

import socket
from asyncio.trsock import TransportSocket
from contextlib import suppress

from pawsight_serving.gateway.http.unread import unread_bytes
from tests.serving.waiting import until


async def test_it_is_what_the_callers_machine_has_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        caller = socket.create_connection(listener.getsockname())
        connection, _ = listener.accept()
        asked = TransportSocket(connection)
        with caller:
            assert unread_bytes(asked) == 0
            connection.setblocking(False)
            sent = 0
            with suppress(BlockingIOError):
                while True:
                    sent += connection.send(b"x" * 65_536)
            assert 0 < unread_bytes(asked) < sent
            while sent:
                sent -= len(caller.recv(65_536))
            await until(lambda: unread_bytes(asked) == 0)
        connection.close()
        assert unread_bytes(asked) == 0
