"""Publications and rollbacks while a gateway's engine and a sidecar's answer from the folder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from pawsight_export.publishing.publication import publish
from pawsight_serving.engines.embedded import EmbeddedEngine
from pawsight_serving.repository.catalogue import find_model
from pawsight_serving.repository.rollback import roll_back
from pawsight_serving.requests.deadlines import Deadline
from tests.serving.tiny_repository import SIDE, publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

PUBLICATIONS = 20
CALLERS = 4
IMAGE = np.zeros((1, SIDE, SIDE, 3), np.uint8)


def bias(version: str) -> float:
    return (int(version) - PUBLICATIONS / 2) / 4


def put(folder: Path, repository: Path, version: int) -> None:
    staged = folder / str(version)
    publish_tiny(staged, version=str(version), bias=bias(str(version)))
    publish(staged, repository, "tiny", str(version), keep=2)


async def ask(engine: EmbeddedEngine, graph: str, version: str) -> None:
    answer = await engine.infer(graph, version, IMAGE, ["probabilities"], Deadline.after(20))
    expected = 1 / (1 + np.exp(-bias(version)))
    assert abs(answer["probabilities"][0, 1] - expected) < 1e-6


async def test_no_call_fails_and_no_answer_is_another_versions(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    put(tmp_path, repository, 1)
    gateway = EmbeddedEngine(repository, graphs="hot", poll_s=0.01, grace_s=1.0)
    sidecar = EmbeddedEngine(repository, graphs="all", poll_s=0.03, grace_s=1.0)
    await gateway.start()
    await sidecar.start()
    done = asyncio.Event()
    asked: list[str] = []

    async def call() -> None:
        while not done.is_set():
            version = find_model(gateway.manifests(), "tiny").version
            await ask(gateway, "tiny", version)
            await sidecar.catch_up("tiny", version, Deadline.after(20))
            find_model(sidecar.manifests(), "tiny", version)
            await ask(sidecar, "tiny_explain", version)
            asked.append(version)

    callers = [asyncio.create_task(call()) for _ in range(CALLERS)]

    async def seen(version: str) -> None:
        async with asyncio.timeout(20):
            while version not in asked[-CALLERS:]:
                await asyncio.wait(callers, timeout=0.005, return_when="FIRST_COMPLETED")
                assert not any(caller.done() for caller in callers)

    try:
        for version in range(2, PUBLICATIONS + 1):
            await asyncio.to_thread(put, tmp_path, repository, version)
            await seen(str(version))
            if version % 4 == 0:
                await asyncio.to_thread(roll_back, repository, "tiny")
                await seen(str(version - 1))
                await asyncio.to_thread(roll_back, repository, "tiny", str(version))
                await seen(str(version))
    finally:
        done.set()
        await asyncio.gather(*callers)
        await gateway.close()
        await sidecar.close()
    assert len(set(asked)) == PUBLICATIONS
