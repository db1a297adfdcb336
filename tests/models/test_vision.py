"""Image networks: the embedded one against its package, transformers folders, and what is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nshot.core.errors import InputError
from nshot.core.machine import Meter
from nshot.core.types import Image, ModelRef
from nshot.models import open_models
from nshot.models.base import PictureEncoder
from nshot.models.catalog import locate, resolve
from nshot.models.embedded.lite0 import TENSORS
from nshot.models.embedded.packages import FEATURES
from nshot.models.hf.unpickled import tensors

Draw = Callable[[int], Image]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """The nth random picture, as a file."""
    from PIL import Image as pillow

    def drawn(n: int) -> Image:
        path = tmp_path / f"{n}.png"
        pixels = np.random.default_rng(n).integers(0, 256, (20 + n, 30, 3), dtype=np.uint8)
        pillow.fromarray(pixels).save(path)
        return Image(str(path), hashlib.sha256(path.read_bytes()).hexdigest())

    return drawn


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("NSHOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures"


def tiny(kind: str, folder: Path) -> Path:
    """A random vision model as a transformers folder."""
    import torch
    import transformers as t

    made: dict[str, Callable[[], Any]] = {
        "vit": lambda: t.ViTModel(
            t.ViTConfig(hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
                        intermediate_size=24, image_size=32, patch_size=8)
        ),
        "convnext": lambda: t.ConvNextModel(
            t.ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], image_size=64)
        ),
        "resnet": lambda: t.ResNetModel(
            t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1],
                           layer_type="basic")
        ),
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made[kind]().save_pretrained(folder)
    side = {"vit": {"height": 32, "width": 32}, "convnext": {"shortest_edge": 64}}.get(kind)
    said = {"size": side, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.2, 0.2]}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    return folder


def check_rows(encoder: PictureEncoder, images: list[Image]) -> None:
    """Unit rows, finite features, and each picture by itself."""
    rows = encoder.encode(images)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert np.linalg.matrix_rank(rows) == len(images)
    np.testing.assert_array_equal(rows[::-1], encoder.encode(images[::-1]))
    whole = encoder.features(images, "whole")
    wanted = {f"{layer}.{part}" for layer in encoder.layers for part in ("mean", "std", "rings")}
    wanted -= {f"{encoder.layers[-1]}.rings"}
    assert set(whole) == wanted | {"colour.rings"}
    assert set(encoder.features(images, "mirrored")) == wanted
    for name, values in whole.items():
        assert values.shape[0] == len(images)
        assert np.isfinite(values).all(), name
        none = encoder.features([], "whole")[name]
        assert none.shape == (0, values.shape[1])


def load_published(network: Any) -> None:
    """Put the published numbers, whose weights are in TensorFlow's order, into `network`."""
    read = tensors(FEATURES.read(), TENSORS)
    for name, parameter in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        numbers = parameter.new_tensor(read.pop(name))
        if parameter.dim() == 4:
            outward, inward, height, width = parameter.shape
            numbers = numbers.view(height, width, inward, outward).permute(3, 2, 0, 1)
        elif parameter.dim() == 2:
            numbers = numbers.view(parameter.shape[::-1]).T
        parameter.copy_(numbers)
    assert not read


@pytest.mark.embedded
def test_the_embedded_network_is_the_published_one(draw: Draw) -> None:
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    from nshot.models.hf.vision import Lite0
    from nshot.nets.efficientnet import SHOWN

    square = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    theirs = EfficientNet.from_name("efficientnet-lite0").eval()
    load_published(theirs)
    kept: list[Any] = []
    for number in SHOWN:
        theirs._blocks[number].register_forward_hook(lambda *told: kept.append(told[2]))
    with torch.inference_mode():
        x = torch.from_numpy(square).permute(2, 0, 1)[None].float().sub(127).div(128)
        kept.append(theirs.extract_features(x))
    ours = Lite0(locate(resolve(None, "features"))).maps(square)
    assert len(ours) == len(kept)
    for mine, published in zip(ours, kept, strict=True):
        np.testing.assert_allclose(mine, published[0], atol=2e-4)


@pytest.mark.embedded
def test_the_embedded_network_reads_pictures_one_by_one(draw: Draw) -> None:
    encoder = open_models().pictures(resolve(None, "features"))
    check_rows(encoder, [draw(n) for n in range(3)])
    assert encoder.encode([draw(0)]).shape == (1, 1280)


@pytest.mark.parametrize("kind", ["vit", "convnext", "resnet"])
def test_a_transformers_folder_reads_pictures(
    kind: str, draw: Draw, cache: Path, tmp_path: Path
) -> None:
    ref = resolve(str(tiny(kind, tmp_path / kind)), "features")
    check_rows(open_models().pictures(ref), [draw(n) for n in range(3)])


@pytest.mark.parametrize("channels", [1, 3])
def test_what_episodes_trained_reads_pictures(
    channels: int, draw: Draw, cache: Path, tmp_path: Path
) -> None:
    import torch

    from nshot.data.fitted import fitted
    from nshot.data.pictures import read_picture
    from nshot.models.hf.views import seen
    from nshot.nets import learners
    from nshot.nets.prototypical import Prototypical

    learner = Prototypical((channels, 32, 32), filters=8)
    learners.save(learner, tmp_path / "taught")
    encoder = open_models().pictures(resolve(str(tmp_path / "taught"), "features"))
    images = [draw(n) for n in range(3)]
    check_rows(encoder, images)
    small = [seen(read_picture(image), 32, "whole") for image in images]
    items = np.stack([fitted(picture, learner.shape) for picture in small])
    with torch.no_grad():
        wanted = learner.eval().embed(torch.from_numpy(items)).numpy()
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert (encoder.encode(images) * wanted).sum(axis=1).min() > 0.999


def test_a_vit_says_its_class_token_and_the_map_of_its_patches(tmp_path: Path) -> None:
    import torch
    from transformers import ViTModel

    from nshot.models.hf.vision import Backbone

    network = Backbone(tiny("vit", tmp_path / "vit"))
    square = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    model = ViTModel.from_pretrained(tmp_path / "vit").eval()
    mean = torch.tensor([0.4, 0.5, 0.6])[:, None, None]
    x = (torch.from_numpy(square).permute(2, 0, 1) / 255 - mean) / 0.2
    with torch.inference_mode():
        told = model(pixel_values=x[None], output_hidden_states=True)
    *maps, head = network.maps(square)
    assert network.layers == ("layer1", "layer2", "layer3", "head")
    np.testing.assert_allclose(head[:, 0, 0], told.last_hidden_state[0, 0], atol=1e-5)
    second = told.hidden_states[2][0, 1:].reshape(4, 4, 16).permute(2, 0, 1)
    np.testing.assert_allclose(maps[1], second, atol=1e-5)


def test_what_was_seen_is_not_looked_at_again(draw: Draw, cache: Path, tmp_path: Path) -> None:
    ref = resolve(str(tiny("resnet", tmp_path / "resnet")), "features")
    images = [draw(n) for n in range(3)]
    open_models().pictures(ref).features(images[:2], "circle")
    assert len(list(cache.rglob("*.safetensors"))) == 2
    fresh = open_models().pictures(ref).features(images, "circle")
    for image in images:
        Path(image.path).unlink()
    again = open_models().pictures(ref).features(images, "circle")
    for name, values in fresh.items():
        assert values.tobytes() == again[name].tobytes()
    with pytest.raises(InputError):
        open_models().pictures(ref).features(images, "mirrored")


def test_what_the_cache_saves_is_in_the_cost(draw: Draw, cache: Path, tmp_path: Path) -> None:
    ref = resolve(str(tiny("resnet", tmp_path / "resnet")), "features")
    images = [draw(n) for n in range(8)]
    open_models().pictures(ref).encode(images)
    again, meter = open_models().pictures(ref), Meter()
    with meter.running():
        again.encode(images)
    saved = meter.seconds - meter.spent_seconds
    assert 0.2 * meter.spent_seconds < saved < 20 * meter.spent_seconds
    with meter.running():
        again.encode([draw(9)])
    assert meter.seconds - meter.spent_seconds == pytest.approx(saved), "nothing was saved here"


def test_other_weights_see_another_picture(draw: Draw, cache: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    ref = resolve(str(tiny("resnet", tmp_path / "resnet")), "features")
    before = open_models().pictures(ref).encode([draw(0)])
    weights = tmp_path / "resnet" / "model.safetensors"
    state = load_file(weights)
    name = next(name for name in state if name.endswith("convolution.weight"))
    save_file({**state, name: -state[name]}, weights, metadata={"format": "pt"})
    assert np.abs(before - open_models().pictures(ref).encode([draw(0)])).max() > 1e-3


def test_a_timm_folder_says_what_it_needs(tmp_path: Path) -> None:
    from nshot.models.hf.vision import Backbone

    (tmp_path / "config.json").write_text('{"architecture": "resnet18"}')
    with pytest.raises(InputError, match="pip install timm"):
        Backbone(tmp_path)


def test_the_fake_network_reads_pictures(draw: Draw) -> None:
    check_rows(open_models().pictures(ModelRef("fake", "pictures")), [draw(n) for n in range(3)])
