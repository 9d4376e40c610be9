from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_serving.pictures.reading import DECODER_VERSION, decode_picture
from pawsight_training.data import dataset
from pawsight_training.data.dataset import load_dataset, pictures_cache
from pawsight_training.errors import DataInvalid
from tests.drawn_pictures import draw_folder, jpeg

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (40, 30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_folder(tmp_path / "drawn", {"train": 4, "validation": 2, "test": 1})


def test_pictures_are_decoded_as_serving_decodes_them(folder: Path, tmp_path: Path) -> None:
    data = load_dataset([folder], SIZE, cache=tmp_path / "cache")
    train = data.splits["train"]
    assert train.pictures.shape == (8, *SIZE, 3)
    assert train.labels.tolist() == [0] * 4 + [1] * 4
    assert np.array_equal(train.pictures[1], decode_picture(jpeg("disc", 1), SIZE))
    assert train.names[1] == "drawn/train/cats/1.jpg"
    assert data.input_size == SIZE
    assert data.sources == ("drawn",)


def test_pictures_that_an_earlier_split_has_too_are_found(folder: Path, tmp_path: Path) -> None:
    assert load_dataset([folder], SIZE, cache=tmp_path / "cache").repeated() == {}
    shutil.copy(folder / "train/cats/1.jpg", folder / "test/cats/learnt by heart.jpg")
    shutil.copy(folder / "validation/dogs/0.jpg", folder / "test/dogs/chosen by.jpg")
    shutil.copy(folder / "train/cats/2.jpg", folder / "train/cats/3.jpg")
    data = load_dataset([folder], SIZE, cache=tmp_path / "cache")
    assert data.repeated() == {
        "test": ("drawn/test/cats/learnt by heart.jpg", "drawn/test/dogs/chosen by.jpg")
    }


def test_a_picture_is_decoded_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_dataset([folder], SIZE, cache=tmp_path / "cache")
    monkeypatch.setattr(dataset, "decode_picture", None)
    again = load_dataset([folder], SIZE, cache=tmp_path / "cache")
    for name, split in first.splits.items():
        assert np.array_equal(split.pictures, again.splits[name].pictures)
        assert split.digest == again.splits[name].digest


def test_what_another_decoder_left_is_decoded_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_dataset([folder], SIZE, cache=tmp_path / "cache").splits["train"]
    monkeypatch.setattr(dataset, "DECODER_VERSION", DECODER_VERSION + 1)
    monkeypatch.setattr(dataset, "decode_picture", lambda *_: np.zeros((*SIZE, 3), np.uint8))
    after = load_dataset([folder], SIZE, cache=tmp_path / "cache").splits["train"]
    assert before.pictures.any()
    assert not after.pictures.any()


@pytest.mark.parametrize("ending", [".rgb", ".json"])
def test_a_cache_that_lost_a_file_is_made_again(folder: Path, tmp_path: Path, ending: str) -> None:
    cache = tmp_path / "cache"
    first = load_dataset([folder], SIZE, cache=cache)
    for file in cache.glob(f"*{ending}"):
        file.unlink()
    again = load_dataset([folder], SIZE, cache=cache)
    for name, split in first.splits.items():
        assert np.array_equal(split.pictures, again.splits[name].pictures)


def test_a_changed_picture_is_decoded_again(folder: Path, tmp_path: Path) -> None:
    before = load_dataset([folder], SIZE, cache=tmp_path / "cache").splits["train"]
    (folder / "train" / "cats" / "0.jpg").write_bytes(jpeg("disc", 99))
    after = load_dataset([folder], SIZE, cache=tmp_path / "cache").splits["train"]
    assert before.digest != after.digest
    assert not np.array_equal(before.pictures[0], after.pictures[0])
    assert np.array_equal(before.pictures[1:], after.pictures[1:])


def test_the_digest_is_of_the_pictures_not_of_where_they_lie(folder: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(folder, tmp_path / "elsewhere")
    one, other = (
        load_dataset([path], SIZE, cache=tmp_path / "cache").splits["train"].digest
        for path in (folder, elsewhere)
    )
    assert one == other


def test_a_corrupt_picture_is_named_and_skipped(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "train" / "cats" / "0.jpg").read_bytes()
    (folder / "train" / "cats" / "0.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "train" / "dogs" / "2.jpg").write_bytes(b"")
    data = load_dataset([folder], SIZE, cache=tmp_path / "cache")
    assert [file.name for file in data.skipped] == [
        "drawn/train/cats/0.jpg",
        "drawn/train/dogs/2.jpg",
    ]
    train = data.splits["train"]
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(train.pictures[0], decode_picture(jpeg("disc", 1), SIZE))


def test_a_class_of_corrupt_pictures_alone_is_empty(folder: Path, tmp_path: Path) -> None:
    (folder / "test" / "dogs" / "0.jpg").write_bytes(b"not a picture")
    with pytest.raises(DataInvalid, match="Class 'dog' has no readable picture in test"):
        load_dataset([folder], SIZE, cache=tmp_path / "cache")


def test_only_what_is_asked_for_is_loaded(folder: Path, tmp_path: Path) -> None:
    data = load_dataset([folder], SIZE, cache=tmp_path / "cache", only=["test"])
    assert data.splits.keys() == {"test"}


def test_of_a_split_that_is_missing_it_is_said_which_there_are(
    folder: Path, tmp_path: Path
) -> None:
    shutil.rmtree(folder / "test")
    sentence = "There are no test pictures in drawn, only train and validation pictures; add a"
    with pytest.raises(DataInvalid, match=sentence):
        load_dataset([folder], SIZE, cache=tmp_path / "cache", only=["test"])


def test_a_cache_that_cannot_be_written_is_an_error(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataInvalid, match=r"cannot be kept in .*--cache"):
        load_dataset([folder], SIZE, cache=tmp_path / "file")


@pytest.mark.parametrize("link", [False, True], ids=["a folder", "a link to nothing"])
def test_a_file_that_cannot_be_opened_is_not_taken_for_a_full_disk(
    folder: Path, tmp_path: Path, link: bool
) -> None:
    picture = folder / "train" / "cats" / "9.jpg"
    picture.symlink_to("nothing") if link else picture.mkdir()
    with pytest.raises(DataInvalid, match=r"9\.jpg cannot be read \(.*; make it readable"):
        load_dataset([folder], SIZE, cache=tmp_path / "cache")


def test_a_half_written_cache_is_not_taken(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def fails_later(data: bytes, size: tuple[int, int]) -> object:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise OSError(28, "No space left on device")
        return decode_picture(data, size)

    cache = tmp_path / "cache"
    with monkeypatch.context() as patched:
        patched.setattr(dataset, "decode_picture", fails_later)
        with pytest.raises(DataInvalid, match="No space left"):
            load_dataset([folder], SIZE, cache=cache)
    assert list(cache.iterdir()) == []
    assert len(load_dataset([folder], SIZE, cache=cache).splits["train"]) == 8


def test_the_cache_lies_where_the_user_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pictures_cache() == tmp_path / "pawsight" / "pictures"
