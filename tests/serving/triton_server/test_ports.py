from __future__ import annotations

import socket

import pytest

from pawsight_serving.errors import AddressUnavailable
from pawsight_serving.triton_server.ports import HOST, Ports, claim


def test_zero_takes_ports_that_differ() -> None:
    ports = claim(Ports(0, 0, 0))
    assert len({*ports, 0}) == 4


def test_a_port_that_was_named_stays() -> None:
    named = claim(Ports(0, 0, 0))
    assert claim(named) == named


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as holder:
        holder.bind((HOST, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(AddressUnavailable, match=str(port)):
            claim(Ports(0, port, 0))


def test_a_port_that_is_named_twice_is_taken() -> None:
    port = claim(Ports(0, 0, 0)).http
    with pytest.raises(AddressUnavailable, match=str(port)):
        claim(Ports(0, port, port))
