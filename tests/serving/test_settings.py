from __future__ import annotations

import pytest
from pydantic import ValidationError

from pawsight_serving.settings import DEFAULT_REPOSITORY, ExplainerSettings, GatewaySettings


def test_the_repository_is_the_default_engine() -> None:
    assert GatewaySettings().repository_or_default == DEFAULT_REPOSITORY
    assert GatewaySettings.model_validate({"triton": "h:1"}).repository_or_default is None


def test_two_engines_are_refused() -> None:
    with pytest.raises(ValidationError, match="not both"):
        GatewaySettings.model_validate({"triton": "h:1", "repository": "r"})


def test_two_ports_of_the_systems_choice_are_not_the_same_address() -> None:
    settings = GatewaySettings.model_validate({"http": "h:0", "grpc": "h:0"})
    assert settings.http == settings.grpc


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        GatewaySettings().timeout_s = 1.0  # type: ignore[misc]


def test_the_sidecar_shares_what_it_can() -> None:
    settings = GatewaySettings.model_validate({"repository": "r", "timeout_s": 3, "http": "h:1"})
    sidecar = settings.for_sidecar()
    assert (sidecar.repository, sidecar.timeout_s) == (settings.repository, 3)
    assert sidecar.grpc == ("127.0.0.1", 0)
    assert ExplainerSettings.model_validate_json(sidecar.model_dump_json()) == sidecar


def test_whoever_starts_the_sidecar_can_set_all_of_it() -> None:
    own = ExplainerSettings.model_fields.keys() - {"grpc"}
    given = {"max_overlay_side": 7, "max_explanation_bytes": 8, "explanations_at_once": 9}
    sidecar = GatewaySettings.model_validate(given).for_sidecar()
    assert own <= GatewaySettings.model_fields.keys()
    assert sidecar.model_dump(include=set(given)) == given


@pytest.mark.parametrize("settings", [GatewaySettings, ExplainerSettings])
def test_every_setting_has_one_sentence(settings: type[GatewaySettings]) -> None:
    for name, field in settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert ". " not in field.description, name


@pytest.mark.parametrize("value", ["inf", "nan", "1e999"])
def test_times_have_an_end(value: str) -> None:
    with pytest.raises(ValidationError, match="timeout_s"):
        GatewaySettings.model_validate({"timeout_s": value})


def test_origins_are_as_browsers_send_them() -> None:
    for origins in ("", "*", "https://example.org http://localhost:3000"):
        assert GatewaySettings(cors_origins=origins).cors_origins == origins
    for wrong in ("example.org", "https://example.org/", "https://ok.org https://example.org/page"):
        with pytest.raises(ValidationError, match="cors-origins are"):
            GatewaySettings(cors_origins=wrong)


@pytest.mark.parametrize("settings", [GatewaySettings, ExplainerSettings])
def test_traces_go_to_an_address(settings: type[GatewaySettings]) -> None:
    assert settings(trace_endpoint="https://collector:4317").trace_endpoint
    with pytest.raises(ValidationError, match="http://HOST:PORT"):
        settings(trace_endpoint="localhost:4317")
