"""The Kubernetes manifests mean what the images and the program take."""

from __future__ import annotations

from typing import Any

import click
import pytest
import yaml

from pawsight_serving.gateway.http.authentication import OPEN
from pawsight_serving.settings import ExplainerSettings, GatewaySettings
from tests.docker.accepted import parsed
from tests.docker.dockerfile import FOLDER, IMAGES, Image, last, program
from tests.docker.test_compose import services


def objects(name: str) -> dict[str, dict[str, Any]]:
    """Return a file's objects by their kinds, of which it has one each."""
    return {each["kind"]: each for each in yaml.safe_load_all((FOLDER / name).read_text())}


OURS = objects("kubernetes.yaml")
TRITONS = objects("kubernetes.triton.yaml")
POD: dict[str, Any] = OURS["Deployment"]["spec"]["template"]["spec"]
TRITONS_POD: dict[str, Any] = TRITONS["Deployment"]["spec"]["template"]["spec"]
EXPLAINER: dict[str, Any] = POD["initContainers"][0]
GATEWAY: dict[str, Any] = POD["containers"][0]
CONTAINERS = [pytest.param(each, id=each["name"]) for each in (EXPLAINER, GATEWAY)]


def image_of(container: dict[str, Any]) -> Image:
    target = container["image"].removeprefix("pawsight-")
    return next(image for image in IMAGES if image.target == target)


def ports(container: dict[str, Any]) -> dict[str, int]:
    return {each["name"]: each["containerPort"] for each in container["ports"]}


@pytest.mark.parametrize("settings", [{}, TRITONS["ConfigMap"]["data"]], ids=["alone", "triton"])
@pytest.mark.parametrize("container", CONTAINERS)
def test_the_program_takes_the_command(container: dict[str, Any], settings: dict[str, str]) -> None:
    assert container["envFrom"][0]["configMapRef"] == {
        "name": TRITONS["ConfigMap"]["metadata"]["name"],
        "optional": True,
    }
    parsed(program(image_of(container)) + container["args"], settings)


def test_what_kubernetes_tells_of_services_would_end_the_start() -> None:
    name = OURS["Service"]["metadata"]["name"].upper()
    with pytest.raises(click.UsageError, match="unknown"):
        parsed(program(image_of(GATEWAY)) + GATEWAY["args"], {f"{name}_SERVICE_HOST": "10.0.0.1"})
    assert POD["enableServiceLinks"] is False


def test_the_gateway_finds_its_explainer_which_nobody_else_reaches() -> None:
    listening = EXPLAINER["args"][-1]
    assert GATEWAY["args"][-2:] == ["--explainer", listening]
    assert listening.startswith("127.0.0.1:")
    assert f"'{listening}'" in EXPLAINER["livenessProbe"]["exec"]["command"][-1]
    compile(EXPLAINER["livenessProbe"]["exec"]["command"][-1], "probe", "exec")


def test_the_service_leads_to_the_gateways_ports() -> None:
    exposed = [int(port) for port in last(image_of(GATEWAY), "EXPOSE").split()]
    assert list(ports(GATEWAY).values()) == exposed
    assert [f"0.0.0.0:{port}" for port in exposed] == GATEWAY["args"][1:4:2]
    assert {each["targetPort"] for each in OURS["Service"]["spec"]["ports"]} == set(ports(GATEWAY))


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_health_is_asked_where_it_is_told(probe: str) -> None:
    asked = GATEWAY[probe]["httpGet"]
    assert asked["port"] == "http"
    assert asked["path"] in OPEN
    # An engine that fails takes no calls; starting anew would not mend it.
    assert (asked["path"] == "/readyz") == (probe == "readinessProbe")


def test_a_pod_may_take_as_long_to_end_as_its_parts() -> None:
    pause_s = int(GATEWAY["lifecycle"]["preStop"]["exec"]["command"][1])
    takes_s = pause_s + GatewaySettings().shutdown_grace_s + ExplainerSettings().shutdown_grace_s
    assert POD["terminationGracePeriodSeconds"] > takes_s
    # It starts before the gateway, and ends after it.
    assert EXPLAINER["restartPolicy"] == "Always"


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_write_to_tmp_alone_and_have_no_privileges(container: dict[str, Any]) -> None:
    assert str(POD["securityContext"]["runAsUser"]) == last(image_of(container), "USER")
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [each["mountPath"] for each in container["volumeMounts"]] == ["/tmp"]


def test_triton_is_run_and_found_as_compose_has_it() -> None:
    container = TRITONS_POD["containers"][0]
    composed = services("compose.yaml", "compose.triton.yaml")
    assert container["args"] == composed["triton"]["command"]
    assert TRITONS["ConfigMap"]["data"] == composed["gateway"]["environment"]
    service = TRITONS["Service"]
    port = service["spec"]["ports"][0]
    assert TRITONS["ConfigMap"]["data"] == {
        "PAWSIGHT_TRITON": f"{service['metadata']['name']}:{port['port']}"
    }
    assert ports(container)[port["targetPort"]] == port["port"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "http"
    assert ports(container)["http"] == 8000


def test_whoever_calls_triton_is_one_of_ours() -> None:
    policy = TRITONS["NetworkPolicy"]["spec"]
    assert policy["podSelector"] == TRITONS["Deployment"]["spec"]["selector"]
    calls, metrics = policy["ingress"]
    assert calls["from"] == [{"podSelector": OURS["Deployment"]["spec"]["selector"]}]
    assert [each["port"] for each in calls["ports"]] == [
        each["targetPort"] for each in TRITONS["Service"]["spec"]["ports"]
    ]
    scraped = TRITONS["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    offered = ports(TRITONS_POD["containers"][0])
    assert [str(offered[each["port"]]) for each in metrics["ports"]] == [
        scraped["prometheus.io/port"]
    ]


@pytest.mark.parametrize("found", [OURS, TRITONS], ids=["ours", "tritons"])
def test_what_belongs_together_has_one_label(found: dict[str, dict[str, Any]]) -> None:
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels


def test_every_volume_is_mounted() -> None:
    for pod in (POD, TRITONS_POD):
        containers = [*pod.get("initContainers", ()), *pod["containers"]]
        mounted = {mount["name"] for each in containers for mount in each["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
