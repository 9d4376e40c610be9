"""TLS, mutual TLS and API keys, over both protocols, as the SDK meets them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from pawsight_client import AsyncClient, ServerUnreachable, Tls, Unauthenticated
from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightStub
from pawsight_serving.errors import ConfigurationInvalid
from pawsight_serving.security.api_keys import make_key
from tests.serving.certificates import Authority
from tests.serving.fakes import FakeEngine, picture
from tests.serving.gateway.test_main import make_settings, running
from tests.serving.grpc_client import SERVING, check_health, trailing
from tests.slow_connection import slow

if TYPE_CHECKING:
    from pathlib import Path

RED = picture("red")
KEY, LINE = make_key("alice")
OTHER, OTHER_LINE = make_key("bob")
OPEN = ("/", "/docs", "/openapi.json", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"{LINE}\n{OTHER_LINE}\n")
    return file


async def predicts(url: str, key: str | None = None, tls: Tls | None = None) -> bool:
    async with AsyncClient(url, api_key=key, tls=tls, timeout_s=20) as client:
        return (await client.predict(RED)).label == "dog"


async def test_only_known_keys_call_and_health_stays_open(keys: Path) -> None:
    async with (
        running(make_settings(api_keys=keys), FakeEngine()) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
        grpc.aio.insecure_channel(str(gateway.grpc)) as channel,
    ):
        for url in (f"http://{gateway.http}", f"grpc://{gateway.grpc}"):
            assert await predicts(url, KEY)
            assert await predicts(url, OTHER)
            for wrong in (None, "wrong", LINE.partition(":")[2]):
                with pytest.raises(Unauthenticated):
                    await predicts(url, wrong)
        for path in OPEN:
            assert (await http.get(path)).status_code == 200, path
        for path in ("/metrics", "/v1/models", "/v2/models/tiny", "/nowhere"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert (await http.get("/metrics", headers={"x-api-key": KEY})).status_code == 200
        assert await check_health(channel, "") == SERVING


async def test_over_grpc_every_kind_of_method_is_behind_the_keys(keys: Path) -> None:
    async with (
        running(make_settings(api_keys=keys), FakeEngine()) as gateway,
        grpc.aio.insecure_channel(str(gateway.grpc)) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await PawsightStub(channel).Predict(pb.PredictRequest(images=[RED]))
        assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert trailing(raised.value)["pawsight-code"] == "UNAUTHENTICATED"
        stream = PawsightStub(channel).PredictStream(iter([pb.PredictStreamRequest(image=RED)]))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stream.read()
        assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
        reflect = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await reflect(iter(asked)).read()
        assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
        answer = await reflect(iter(asked), metadata=(("x-api-key", KEY),)).read()
        assert answer is not grpc.aio.EOF
        async with httpx.AsyncClient(headers={"x-api-key": KEY}) as http:
            counts = (await http.get(f"http://{gateway.http}/metrics")).text
        assert 'code="UNAUTHENTICATED",method="refused",protocol="grpc"} 3.0' in counts


async def test_tls_over_both_ports(authority: Authority) -> None:
    pair = authority.issue("localhost")
    settings = make_settings(tls_certificate=pair.certificate, tls_key=pair.key)
    async with running(settings, FakeEngine()) as gateway:
        https = f"https://localhost:{gateway.http.port}"
        grpcs = f"grpcs://localhost:{gateway.grpc.port}"
        assert f"https://{gateway.http} and grpcs://{gateway.grpc}" in str(gateway)
        for url in (https, grpcs):
            assert await predicts(url, tls=Tls(ca=authority.file))
            with pytest.raises(ServerUnreachable):
                await predicts(url)  # nobody it trusts has signed the certificate
        with pytest.raises(ServerUnreachable):
            await predicts(f"http://localhost:{gateway.http.port}")
        async with httpx.AsyncClient(verify=False) as client:
            page = await client.get(https, headers={"host": "pawsight.example"})
            here = await client.get(https)
        assert "max-age" in page.headers["strict-transport-security"]
        assert "strict-transport-security" not in here.headers


async def test_a_handshake_may_take_longer_than_a_pause(authority: Authority) -> None:
    pair = authority.issue("localhost")
    settings = make_settings(tls_certificate=pair.certificate, tls_key=pair.key)
    async with (
        running(settings, FakeEngine()) as gateway,
        slow(*gateway.http, 0.6) as http_port,
        slow(*gateway.grpc, 0.6) as grpc_port,
    ):
        for url in (f"https://localhost:{http_port}", f"grpcs://localhost:{grpc_port}"):
            assert await predicts(url, tls=Tls(ca=authority.file))


async def test_mutual_tls_takes_no_stranger(authority: Authority, tmp_path: Path) -> None:
    pair, mine = authority.issue("localhost"), authority.issue("caller")
    stranger = Authority(tmp_path / "strangers").issue("caller")
    settings = make_settings(
        tls_certificate=pair.certificate, tls_key=pair.key, tls_client_ca=authority.file
    )
    async with running(settings, FakeEngine()) as gateway:
        for url in (
            f"https://localhost:{gateway.http.port}",
            f"grpcs://localhost:{gateway.grpc.port}",
        ):
            assert await predicts(url, tls=Tls(authority.file, mine.certificate, mine.key))
            for tls in (
                Tls(authority.file),
                Tls(authority.file, stranger.certificate, stranger.key),
            ):
                with pytest.raises(ServerUnreachable):
                    await predicts(url, tls=tls)


async def test_files_that_cannot_be_used_end_the_start(tmp_path: Path, keys: Path) -> None:
    for settings in (
        make_settings(api_keys=tmp_path / "missing"),
        make_settings(tls_certificate=keys, tls_key=keys),
    ):
        with pytest.raises(ConfigurationInvalid):
            async with running(settings, FakeEngine()):
                pass


async def test_no_origin_is_let_in_unless_it_is_named() -> None:
    asks = {"origin": "https://page.example", "access-control-request-method": "POST"}
    for origins, allowed in (("", None), ("https://page.example", "https://page.example")):
        async with (
            running(make_settings(cors_origins=origins), FakeEngine()) as gateway,
            httpx.AsyncClient(base_url=f"http://{gateway.http}") as http,
        ):
            path = "/v1/models/tiny:predict"
            asked = await http.options(path, headers=asks)
            answer = await http.post(path, content=RED, headers={"origin": asks["origin"]})
            strange = await http.get("/v1/models", headers={"origin": "https://else.example"})
            assert asked.headers.get("access-control-allow-origin") == allowed
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-origin" not in strange.headers


async def test_calls_at_once_are_bounded() -> None:
    engine = FakeEngine()
    async with (
        running(make_settings(max_connections=1, probe_interval_s=60), engine) as gateway,
        grpc.aio.insecure_channel(str(gateway.grpc)) as channel,
    ):
        engine.may_answer.clear()
        asked = len(engine.asked)
        stub = PawsightStub(channel)
        first = asyncio.ensure_future(stub.Predict(pb.PredictRequest(images=[RED])))
        await engine.wait_asked(asked + 1)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.Predict(pb.PredictRequest(images=[RED]))
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        engine.may_answer.set()
        assert (await first).predictions[0].label == "dog"
