from __future__ import annotations

from pawsight_serving.engines.loaded_versions import LoadedVersions
from pawsight_serving.engines.loading import LoadedVersion
from pawsight_serving.threads.dynamic_batching import DynamicBatcher
from tests.serving.fakes import manifest


def version(name: str, number: str) -> LoadedVersion:
    return LoadedVersion(
        manifest(name, number), {}, DynamicBatcher(lambda batches: [{} for _ in batches], [1])
    )


def change(
    loaded_versions: LoadedVersions, *keys: str, kept: tuple[str, ...] = (), now_s: float = 0.0
) -> None:
    wanted = {(key[:-1], key[-1]): version(key[:-1], key[-1]) for key in keys}
    loaded_versions.change(wanted, kept, now_s)


def listed(loaded_versions: LoadedVersions) -> list[str]:
    return [m.name + m.version for m in loaded_versions.manifests]


def test_versions_come_newest_last_within_a_name() -> None:
    loaded_versions = LoadedVersions(10)
    change(loaded_versions, "b2", "b1", "a9")
    assert listed(loaded_versions) == ["a9", "b1", "b2"]
    assert loaded_versions.get("b", "2") is not None
    assert loaded_versions.get("b", "3") is None


def test_what_goes_answers_for_a_while_and_never_as_the_newest() -> None:
    loaded_versions = LoadedVersions(10)
    change(loaded_versions, "b1", "b2")
    change(loaded_versions, "b1", now_s=5)
    assert listed(loaded_versions) == ["b2", "b1"]
    assert loaded_versions.get("b", "2") is not None
    assert not loaded_versions.drop_expired(14.9)
    assert loaded_versions.drop_expired(15)
    assert listed(loaded_versions) == ["b1"]
    assert loaded_versions.get("b", "2") is None


def test_a_model_that_is_put_in_its_own_place_goes_on() -> None:
    loaded_versions = LoadedVersions(10)
    change(loaded_versions, "a1", "b1")
    change(loaded_versions, "a1")
    assert listed(loaded_versions) == ["a1", "b1"]
    change(loaded_versions, "a1", "b1", now_s=5)
    assert not loaded_versions.drop_expired(100)
    assert listed(loaded_versions) == ["a1", "b1"]


def test_a_model_that_is_taken_away_goes_at_last() -> None:
    loaded_versions = LoadedVersions(10)
    change(loaded_versions, "a1", "b1")
    change(loaded_versions, "a1")
    assert loaded_versions.drop_expired(10)
    assert listed(loaded_versions) == ["a1"]
    assert loaded_versions.get("b", "1") is None


def test_what_comes_back_stays() -> None:
    loaded_versions = LoadedVersions(10)
    change(loaded_versions, "b1", "b2")
    change(loaded_versions, "b1")
    change(loaded_versions, "b1", "b2", now_s=5)
    assert not loaded_versions.drop_expired(100)
    assert listed(loaded_versions) == ["b1", "b2"]


def test_a_model_whose_newest_was_refused_stays_as_it_was() -> None:
    loaded_versions = LoadedVersions(10)
    change(loaded_versions, "a1", "b1")
    change(loaded_versions, kept=("b",))
    assert listed(loaded_versions) == ["a1", "b1"]
    assert (loaded_versions.serves("a"), loaded_versions.serves("b")) == (False, True)
    assert loaded_versions.drop_expired(10)
    assert listed(loaded_versions) == ["b1"]


def test_a_version_is_loaded_where_it_is_the_very_same() -> None:
    loaded_versions = LoadedVersions(10)
    change(loaded_versions, "b1")
    published = manifest("b", "1")
    assert loaded_versions.loaded(published) is not None
    assert loaded_versions.loaded(published.model_copy(update={"architecture": "other"})) is None
    loaded_versions.clear()
    assert loaded_versions.loaded(published) is None
