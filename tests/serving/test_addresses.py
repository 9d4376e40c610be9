from __future__ import annotations

import errno

import pytest

from pawsight_serving.addresses import Address, bind, check_free, collector_url
from pawsight_serving.errors import AddressUnavailable


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("localhost:0", "localhost", 0),
        ("[::1]:50051", "::1", 50051),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
    ],
)
def test_addresses_are_read_and_written_alike(text: str, host: str, port: int) -> None:
    assert Address.parse(text) == (host, port)
    assert str(Address(host, port)) == text


@pytest.mark.parametrize("text", ["", "localhost", ":80", "localhost:", "a:b", "a:65536", "a:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        Address.parse(text)


def test_a_bound_address_is_held_until_it_is_closed() -> None:
    with bind(Address("127.0.0.1", 0)) as first:
        held = Address(*first.getsockname())
        first.listen()
        with pytest.raises(AddressUnavailable, match=f"Cannot listen on {held}"):
            bind(held)
    bind(held).close()


def test_what_is_free_is_not_held_and_what_is_taken_is_told() -> None:
    with bind(Address("127.0.0.1", 0)) as taken:
        address = Address(*taken.getsockname())
        taken.listen()
        with pytest.raises(AddressUnavailable, match=f"Cannot listen on {address}"):
            check_free(Address("127.0.0.1", 0), address)
    check_free(address, address)
    with bind(address) as free:
        free.listen()


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        ("192.0.2.1", "not an address of this machine"),
        ("no such host", "no host is known as no such host"),
    ],
)
def test_an_address_of_another_machine_is_one_sentence(host: str, advice: str) -> None:
    with pytest.raises(AddressUnavailable, match=f"Cannot listen on .*; .*{advice}"):
        bind(Address(host, 1))


def test_a_port_that_this_user_may_not_take_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("socket.socket.bind", forbidden)
    with pytest.raises(AddressUnavailable, match=r"on 127.0.0.1:80; this user may not"):
        bind(Address("127.0.0.1", 80))


@pytest.mark.parametrize("url", ["http://localhost:4317", "https://collector", "http://[::1]:4317"])
def test_a_collectors_address_is_a_url(url: str) -> None:
    assert collector_url(url) == url


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", "localhost:4317", "grpc://localhost:4317", "http://", "http://:4317"),
        *("http://localhost:port", "http://localhost:99999", "http://[::1", "http://a b:4317"),
    ],
)
def test_anything_else_is_no_collectors_address(text: str) -> None:
    with pytest.raises(ValueError, match="http://HOST:PORT"):
        collector_url(text)
