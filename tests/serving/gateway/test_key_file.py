from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import ConfigurationInvalid, Unauthenticated
from pawsight_serving.gateway.key_file import KeyFile
from pawsight_serving.security.api_keys import ApiKeys, make_key
from tests.serving.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ONE, ONES_LINE = make_key("one")
TWO, TWOS_LINE = make_key("two")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(ONES_LINE)
    return path


def put(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink()
    else:
        file.write_text(text)


def put_in_place(file: Path, text: str) -> None:
    newer = file.with_name("newer")
    newer.write_text(text)
    newer.replace(file)


@asynccontextmanager
async def following(file: Path) -> AsyncIterator[ApiKeys]:
    followed = KeyFile(file, interval_s=0.01)
    followed.start()
    try:
        yield followed.keys
    finally:
        await followed.stop()


def knows(keys: ApiKeys, key: str) -> bool:
    try:
        keys.name_of(None, key)
    except Unauthenticated:
        return False
    return True


async def test_a_key_is_given_and_another_withdrawn_while_the_server_runs(file: Path) -> None:
    async with following(file) as keys:
        assert knows(keys, ONE)
        put(file, TWOS_LINE)
        await until(lambda: knows(keys, TWO))
        assert not knows(keys, ONE)


async def test_a_file_may_be_put_in_the_others_place(file: Path) -> None:
    async with following(file) as keys:
        put_in_place(file, TWOS_LINE)
        await until(lambda: knows(keys, TWO))


@pytest.mark.parametrize("text", ["no key", "", None])
async def test_of_a_file_that_cannot_be_used_the_keys_of_before_stay(
    file: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    def warned() -> list[str]:
        return [each.message for each in caplog.records if each.levelno == logging.WARNING]

    async with following(file) as keys:
        put(file, text)
        await until(lambda: bool(warned()))
        assert knows(keys, ONE)
        put(file, f"{ONES_LINE}\n{TWOS_LINE}")
        await until(lambda: knows(keys, TWO))
    # It was looked at again and again, and told of once.
    assert len(warned()) == 1
    assert warned()[0].endswith("Until then the keys of before are valid.")


async def test_a_file_is_read_once_for_each_change(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    followed = KeyFile(file)
    await followed._look()
    for text in (f"{ONES_LINE}\n{TWOS_LINE}", "no key", TWOS_LINE, "no key"):
        put(file, text)
        for _ in range(2):
            await followed._look()
    kinds = [record.levelname for record in caplog.records]
    assert kinds == ["INFO", "WARNING", "INFO", "WARNING"]


async def test_what_is_stopped_looks_no_more(file: Path) -> None:
    async with following(file) as keys:
        put(file, TWOS_LINE)
        await until(lambda: knows(keys, TWO))
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_at_the_start_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid):
        KeyFile(tmp_path / "missing")
