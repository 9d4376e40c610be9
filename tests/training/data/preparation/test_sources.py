from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.error import URLError

import pytest
from torchvision.datasets import OxfordIIITPet

from pawsight_training.data.preparation.sources import find_labelled, find_oxford_pets
from pawsight_training.errors import DataInvalid
from tests.drawn_pictures import jpeg

if TYPE_CHECKING:
    from pathlib import Path


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def labels(source: Path) -> dict[str, str]:
    return {picture.name: picture.label for picture in find_labelled(source)}


def test_kaggles_names_are_labels(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat.0.jpg", "train/dog.0.jpg", "train/cat.1.jpg", "test1/1.jpg")
    assert labels(tmp_path) == {
        "train/cat.0.jpg": "cat",
        "train/cat.1.jpg": "cat",
        "train/dog.0.jpg": "dog",
    }


def test_microsofts_folders_are_labels(tmp_path: Path) -> None:
    touch(tmp_path, "PetImages/Cat/0.jpg", "PetImages/Dog/0.jpg", "PetImages/Dog/Thumbs.db")
    assert labels(tmp_path) == {"PetImages/Cat/0.jpg": "cat", "PetImages/Dog/0.jpg": "dog"}


def test_a_few_other_names_among_kaggles_have_no_label(tmp_path: Path) -> None:
    touch(tmp_path, "cat.0.jpg", "cat.1 copy.jpg", "dog.0.jpg", "dog.é.jpg", "broken.jpg")
    assert labels(tmp_path) == {
        "broken.jpg": "",
        "cat.0.jpg": "cat",
        "cat.1 copy.jpg": "cat",
        "dog.0.jpg": "dog",
        "dog.é.jpg": "dog",
    }


def test_kaggles_names_are_labels_whatever_their_folder_is_called(tmp_path: Path) -> None:
    source = touch(tmp_path / "cats", "cat.0.jpg", "dog.0.jpg")
    assert labels(source) == {"cat.0.jpg": "cat", "dog.0.jpg": "dog"}


def test_a_folder_that_is_named_as_a_picture_is_none(tmp_path: Path) -> None:
    touch(tmp_path, "cats/1.jpg", "dogs/1.JPEG", "dogs/album.jpg/2.jpg")
    (tmp_path / "dogs" / "lost.png").symlink_to(tmp_path / "nothing")
    assert labels(tmp_path) == {"cats/1.jpg": "cat", "dogs/1.JPEG": "dog", "dogs/lost.png": "dog"}


def test_a_folder_whose_pictures_are_all_named_alike_is_a_class_of_its_own(tmp_path: Path) -> None:
    touch(tmp_path, "kittens/cat.0.jpg", "kittens/cat.1.jpg", "puppies/dog.0.jpg")
    assert set(labels(tmp_path).values()) == {"kittens", "puppies"}


def test_a_quarter_of_kaggles_may_be_strays_and_no_more(tmp_path: Path) -> None:
    touch(tmp_path, "cat.0.jpg", "cat.1.jpg", "dog.0.jpg", "stray.jpg")
    assert labels(tmp_path)["stray.jpg"] == ""
    touch(tmp_path, "another.jpg")
    with pytest.raises(DataInvalid, match="holds neither"):
        find_labelled(tmp_path)


def test_linked_folders_and_files_are_followed(tmp_path: Path) -> None:
    elsewhere = touch(tmp_path / "elsewhere", "siamese/1.jpg", "2.jpg")
    source = touch(tmp_path / "source", "dogs/1.jpg")
    (source / "cats").symlink_to(elsewhere / "siamese")
    (source / "dogs" / "2.jpg").symlink_to(elsewhere / "2.jpg")
    assert labels(source) == {"cats/1.jpg": "cat", "dogs/1.jpg": "dog", "dogs/2.jpg": "dog"}


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    source = touch(tmp_path / "source", "cats/1.jpg", "dogs/1.jpg")
    (source / "cats" / "self").symlink_to(source / "cats")
    (source / "dogs" / "up").symlink_to(tmp_path)
    assert labels(source) == {"cats/1.jpg": "cat", "dogs/1.jpg": "dog"}
    (source / "cats" / "dogs").symlink_to(source / "dogs")
    (source / "dogs" / "cats").symlink_to(source / "cats")
    assert labels(source) == {
        "cats/1.jpg": "cat",
        "cats/dogs/1.jpg": "dog",
        "dogs/1.jpg": "dog",
        "dogs/cats/1.jpg": "cat",
    }


def test_a_folder_has_more_say_than_a_name(tmp_path: Path) -> None:
    touch(tmp_path, "cats/cat.0.jpg", "cats/dog.7.jpg", "dogs/dog.0.jpg", "cats/tom.jpg")
    found = {picture.name: (picture.label, picture.named) for picture in find_labelled(tmp_path)}
    assert found == {
        "cats/cat.0.jpg": ("cat", "cat"),
        "cats/dog.7.jpg": ("cat", "dog"),
        "cats/tom.jpg": ("cat", None),
        "dogs/dog.0.jpg": ("dog", "dog"),
    }


def test_a_class_folder_stays_one_whatever_its_files_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "cats/cat.0.jpg", "cats/dog.7.jpg", "dogs/dog.0.jpg", "dogs/dog.1.jpg")
    assert labels(tmp_path) == {
        "cats/cat.0.jpg": "cat",
        "cats/dog.7.jpg": "cat",
        "dogs/dog.0.jpg": "dog",
        "dogs/dog.1.jpg": "dog",
    }


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="There is no folder"):
        find_labelled(tmp_path / "nothing")
    for number, names in enumerate(((), ("a.jpg", "b.jpg"), ("cat.0.jpg", "dog.0.jpg", "c.jpg"))):
        folder = touch(tmp_path / str(number), *names)
        folder.mkdir(exist_ok=True)
        with pytest.raises(DataInvalid, match=r"neither pictures named as cat\.0\.jpg"):
            find_labelled(folder)


@pytest.mark.parametrize(
    "names", [("cat.0.jpg", "cat.1.jpg"), ("cats/1.jpg", "cats/2.jpg"), ("cats/cat.1.jpg",)]
)
def test_a_second_class_that_is_missing_is_asked_for(tmp_path: Path, names: tuple[str]) -> None:
    with pytest.raises(
        DataInvalid, match="pictures of one class alone, cat; add those of a second"
    ):
        find_labelled(touch(tmp_path, *names))


def test_oxfords_species_are_labels(tmp_path: Path) -> None:
    root = tmp_path / "oxford-iiit-pet"
    for folder in ("images", "annotations"):
        (root / folder).mkdir(parents=True)
    pets = {"Abyssinian_1": "1 1 1", "beagle_1": "2 2 1", "Bengal_2": "3 1 2", "boxer_9": "4 2 2"}
    for name in pets:
        (root / "images" / f"{name}.jpg").write_bytes(jpeg("disc", len(name)))
    for part, names in (("trainval", list(pets)[:2]), ("test", list(pets)[2:])):
        lines = "".join(f"{name} {pets[name]}\n" for name in names)
        (root / "annotations" / f"{part}.txt").write_text(lines)
    found = find_oxford_pets(tmp_path)
    assert [(picture.name, picture.label) for picture in found] == [
        ("Abyssinian_1.jpg", "cat"),
        ("Bengal_2.jpg", "cat"),
        ("beagle_1.jpg", "dog"),
        ("boxer_9.jpg", "dog"),
    ]
    assert all(picture.path.is_file() for picture in found)
    assert len(OxfordIIITPet(tmp_path, "trainval", target_types="binary-category")) == 2


def test_without_a_network_it_says_what_to_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(
        "torchvision.datasets.oxford_iiit_pet.download_and_extract_archive", no_network
    )
    with pytest.raises(DataInvalid, match="fetch its images and annotations"):
        find_oxford_pets(tmp_path)
