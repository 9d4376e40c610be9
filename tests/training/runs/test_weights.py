from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.error import URLError

import h5py
import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor

from pawsight_training.architectures import ConvNet, build
from pawsight_training.errors import RunInvalid, WeightsInvalid
from pawsight_training.runs.weights import CONVS, read_weights

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_training.runs.run import Run


@pytest.fixture(scope="module")
def imagenet_like() -> torchvision.models.VGG:
    """torchvision's VGG16 with a narrow classifier, so that files stay small."""
    torch.manual_seed(5)
    return torchvision.models.vgg16(num_classes=2)


@pytest.fixture(scope="module")
def state(imagenet_like: torchvision.models.VGG) -> dict[str, Tensor]:
    wanted = ("features.", "classifier.6.")
    full = imagenet_like.state_dict()
    return {name: tensor for name, tensor in full.items() if name.startswith(wanted)}


def vgg_of(path: str | Path) -> ConvNet:
    net = build("vgg16", 2, (32, 32))
    missing, unexpected = net.load_state_dict(read_weights(str(path)).tensors, strict=False)
    assert not unexpected
    assert all(name.startswith("head") for name in missing)
    return net.eval()


def pictures() -> Tensor:
    return torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(3)).byte()


@pytest.mark.parametrize(
    "state",
    [
        [torch.zeros(3)],
        {1: torch.zeros(3)},
        {"state_dict": {"features.0.weight": torch.zeros(3)}},
        {f"features.{number}.weight": torch.zeros(3) for number in range(13)},
    ],
)
def test_what_is_no_state_of_vgg16_is_refused(tmp_path: Path, state: object) -> None:
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(WeightsInvalid, match="are of another net, not of VGG16"):
        read_weights(str(tmp_path / "other.pth"))


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_torchvisions_weights_give_torchvisions_maps(
    imagenet_like: torchvision.models.VGG, state: dict[str, Tensor], tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"vgg16.{suffix}"
    torch.save(state, path) if suffix == "pth" else save_file(state, path)
    net = vgg_of(path)
    normalise = torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with torch.inference_mode():
        theirs = imagenet_like.features(normalise(pictures() / 255))
        ours = net.features(net.normalise(pictures()))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert read_weights(str(path)).source == f"vgg16.{suffix}"
    assert not read_weights(str(path)).has_head


def test_keras_weights_are_turned_round(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    path, kernels = tmp_path / "vgg16_notop.h5", {}
    with h5py.File(path, "w") as file:
        for name, module in build("vgg16", 2, (32, 32)).features.named_children():
            group = file.create_group(name)
            if name in CONVS:
                out, into = module.get_parameter("weight").shape[:2]
                kernel = generator.normal(size=(3, 3, into, out)).astype(np.float32)
                kernels[name] = torch.from_numpy(kernel).permute(3, 2, 0, 1)
                group[f"{name}_W_1:0"] = kernel
                group[f"{name}_b_1:0"] = np.full(out, 0.5, np.float32)
    net = vgg_of(path)
    # Keras feeds blue, green, red, with the means taken off.
    picture = pictures()
    caffe = picture.float().flip(1) - torch.tensor([103.939, 116.779, 123.68]).reshape(3, 1, 1)
    expected = torch.nn.functional.conv2d(
        caffe, kernels[CONVS[0]], torch.full((64,), 0.5), padding=1
    )
    ours = net.features[0](net.normalise(picture))
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-2)
    # What follows is of no colour.
    for name in CONVS[1:]:
        assert torch.equal(net.features.get_submodule(name).get_parameter("weight"), kernels[name])


def test_a_runs_weights_carry_its_head(finished_run: Run) -> None:
    weights = read_weights(str(finished_run.path))
    assert weights.has_head
    assert weights.sha256 == finished_run.manifest.weights_sha256
    assert weights.source == finished_run.path.name
    from_file = read_weights(str(finished_run.path / "weights.safetensors"))
    assert from_file.sha256 == weights.sha256
    assert all(torch.equal(from_file.tensors[name], t) for name, t in weights.tensors.items())


def test_imagenets_weights_that_cannot_be_had_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(url: str, path: str, *, hash_prefix: str) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(WeightsInvalid, match=r"fetch http\S+pth .* put it at .*vgg16"):
        read_weights("imagenet")


def test_imagenets_weights_are_what_their_name_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vgg16-397923af.pth").write_bytes(b"something else")
    other = SimpleNamespace(url=(tmp_path / "vgg16-397923af.pth").as_uri())
    weights = SimpleNamespace(IMAGENET1K_V1=other)
    monkeypatch.setattr(torchvision.models, "VGG16_Weights", weights)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    with pytest.raises(WeightsInvalid, match="is not ImageNet's weights: its digest is another"):
        read_weights("imagenet")
    assert not list((tmp_path / "hub" / "checkpoints").iterdir())


def test_imagenets_weights_are_found_where_they_were_put(
    state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save(state, tmp_path / "checkpoints" / "vgg16-397923af.pth")
    assert read_weights("imagenet").source == "imagenet"


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    save_file({"features.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_group("conv1")
    with h5py.File(tmp_path / "biases.h5", "w") as file:
        for name in CONVS:
            file.create_group(name)["bias"] = np.zeros(64, np.float32)
    for name in ("other.pth", "other.safetensors", "other.h5", "biases.h5"):
        with pytest.raises(WeightsInvalid, match="are of another net, not of VGG16"):
            read_weights(str(tmp_path / name))


@pytest.mark.parametrize("suffix", ["pth", "safetensors", "h5", "bin"])
@pytest.mark.parametrize("content", [b"", b"no weights in here", b"Readme"])
def test_damaged_files_are_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"damaged.{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsInvalid, match="cannot be read"):
        read_weights(str(path))


def test_a_file_that_would_run_code_is_not_loaded(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (print, ("ran",))

    torch.save({"features.0.weight": Harmful()}, tmp_path / "harmful.pth")
    with pytest.raises(WeightsInvalid, match="cannot be read"):
        read_weights(str(tmp_path / "harmful.pth"))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsInvalid, match="There are no weights nothing"):
        read_weights("nothing")
    with pytest.raises(RunInvalid, match="There is no run in"):
        read_weights(str(tmp_path))
