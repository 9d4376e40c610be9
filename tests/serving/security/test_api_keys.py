from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pawsight_serving.command_line import key
from pawsight_serving.errors import ConfigurationInvalid, Unauthenticated
from pawsight_serving.security.api_keys import ApiKeys, make_key

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def test_each_key_is_known_by_its_name(file: Path) -> None:
    (one, first), (two, second) = make_key("one"), make_key("two")
    file.write_text(f"# who may call\n{first}\n\n{second}  # until spring\n")
    keys = ApiKeys.read(file)
    assert keys.name_of(f"Bearer {one}", None) == "one"
    assert keys.name_of(f"bearer {two}", None) == "two"
    assert keys.name_of(None, one) == "one"
    assert keys.name_of("Basic eDp5", two) == "two"


@pytest.mark.parametrize(
    ("authorization", "key"),
    [(None, None), ("", ""), ("Bearer ", None), ("Bearer wrong", None), (None, "ü"), ("x", None)],
)
def test_no_key_and_a_wrong_one_are_refused(authorization: str | None, key: str | None) -> None:
    _, line = make_key("one")
    keys = ApiKeys(dict([line.split(":")]))
    with pytest.raises(Unauthenticated, match="Bearer KEY"):
        keys.name_of(authorization, key)


def test_a_hash_is_not_a_key(file: Path) -> None:
    _, line = make_key("one")
    with pytest.raises(Unauthenticated):
        ApiKeys(dict([line.split(":")])).name_of(None, line.split(":")[1])


@pytest.mark.parametrize(
    "text", ["", "# none\n", "one:abc", "one", f"two words:{'a' * 64}", f"a:{'0' * 64}\n" * 2]
)
def test_a_file_that_is_none_is_one_sentence(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationInvalid, match="pawsight key NAME"):
        ApiKeys.read(file)


def test_a_file_that_is_not_there_is_one_sentence(file: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match="cannot be read"):
        ApiKeys.read(file)


def test_the_command_makes_a_key_and_keeps_its_hash_alone(file: Path) -> None:
    made = [CliRunner().invoke(key, [name, "--file", str(file)]) for name in ("one", "two")]
    keys = ApiKeys.read(file)
    for name, result in zip(("one", "two"), made, strict=True):
        assert keys.name_of(None, result.stdout.strip()) == name
        assert result.stdout.strip() not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_without_a_file_the_line_is_said_beside_the_key() -> None:
    result = CliRunner().invoke(key, ["one"])
    keys = ApiKeys(dict([result.stderr.strip().split(":")]))
    assert keys.name_of(None, result.stdout.strip()) == "one"


def test_a_name_that_is_none_is_refused() -> None:
    assert CliRunner().invoke(key, ["two words"]).exit_code == 2


def test_a_line_is_added_to_what_is_there(file: Path) -> None:
    for name, before in (("one", None), ("two", "# no newline at the end")):
        if before is not None:
            file.write_text(file.read_text() + before)
        made = CliRunner().invoke(key, [name, "--file", str(file)])
        assert made.exit_code == 0
        assert ApiKeys.read(file).name_of(None, made.stdout.strip()) == name
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_name_twice_is_refused_and_harms_nothing(file: Path) -> None:
    CliRunner().invoke(key, ["one", "--file", str(file)])
    before = file.read_text()
    again = CliRunner().invoke(key, ["one", "--file", str(file)])
    assert again.exit_code == 1
    assert "a key of one already" in again.stderr
    assert again.stdout == ""
    assert file.read_text() == before


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    made = CliRunner().invoke(key, ["one", "--file", str(tmp_path / "none" / "keys")])
    assert made.exit_code == 1
    assert "cannot be written" in made.stderr
