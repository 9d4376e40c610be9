"""Which servers are on this machine."""

from __future__ import annotations

import pytest

from pawsight_client._transports.loopback import is_loopback


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:8080", True),
        ("grpc://127.0.0.3", True),
        ("http://[::1]:8080", True),
        ("http://localhost.example.org", False),
        ("grpc://192.0.2.1:50051", False),
    ],
)
def test_which_servers_are_on_this_machine(url: str, here: bool) -> None:
    assert is_loopback(url) == here
