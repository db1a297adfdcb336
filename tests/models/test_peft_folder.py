"""What is wrong with an adapter made elsewhere is said before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from families import FAMILIES, tiny_family
from foreign import foreign
from nshot.core.errors import InputError
from nshot.core.types import Delta, ModelRef
from nshot.models import open_models
from nshot.models.hf import peft_folder
from tiny import tiny_llama

CONFIG = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "some/model"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return foreign(base, tmp_path_factory.mktemp("given") / "adapter")


def made(folder: Path, config: object = CONFIG, tensors: str = peft_folder.TENSORS) -> Path:
    folder.mkdir(exist_ok=True)
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        (folder / peft_folder.CONFIG).write_text(text)
    save_file({"a": np.zeros(1, np.float32)}, folder / tensors)
    return folder


BROKEN: dict[str, tuple[Callable[[Path], Path], list[str]]] = {
    "absent": (lambda place: place / "nowhere", ["no such folder", "adapter_config.json"]),
    "no config": (lambda place: made(place, None), ["no adapter_config.json", "save_pretrained"]),
    "pickled": (
        lambda place: made(place, tensors="adapter_model.bin"),
        [
            "adapter_model.bin can run code",
            "expected: adapter_model.safetensors",
            "save_pretrained",
        ],
    ),
    "nothing": (
        lambda place: made(place, None, "other.safetensors"),
        ["no adapter_config.json", "no adapter_model.safetensors"],
    ),
    "no json": (lambda place: made(place, "{"), ["not JSON"]),
    "no peft": (lambda place: made(place, {"r": 8}), ["no peft_type"]),
    "head": (
        lambda place: made(place, CONFIG | {"task_type": "SEQ_CLS"}),
        ["an adapter for SEQ_CLS", "causal language model"],
    ),
    "pissa": (
        lambda place: made(place, CONFIG | {"init_lora_weights": "pissa_niter_4"}),
        ["PiSSA", "path_initial_model_for_weight_conversion"],
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_folder_with_a_fault_is_refused_with_all_of_them(fault: str, tmp_path: Path) -> None:
    make, words = BROKEN[fault]
    with pytest.raises(InputError) as caught:
        peft_folder.read(make(tmp_path))
    for word in [*words, str(tmp_path)]:
        assert word in str(caught.value)


def test_a_torn_file_is_refused(adapter: Path, tmp_path: Path) -> None:
    (tmp_path / peft_folder.CONFIG).write_text(json.dumps(CONFIG))
    whole = (adapter / peft_folder.TENSORS).read_bytes()
    (tmp_path / peft_folder.TENSORS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not safetensors"):
        peft_folder.read(tmp_path)


def test_the_hash_is_that_of_the_adapter_and_of_nothing_beside_it(
    adapter: Path, tmp_path: Path
) -> None:
    for name in peft_folder.FILES:
        (tmp_path / name).write_bytes((adapter / name).read_bytes())
    (tmp_path / "optimizer.pt").write_bytes(b"a trainer's")
    assert peft_folder.read(tmp_path).sha256 == peft_folder.read(adapter).sha256
    tensors = load_file(tmp_path / peft_folder.TENSORS)
    name = next(iter(tensors))
    save_file(tensors | {name: tensors[name] + 1}, tmp_path / peft_folder.TENSORS)
    assert peft_folder.read(tmp_path).sha256 != peft_folder.read(adapter).sha256


def kinds() -> dict[str, object]:
    import peft

    soft = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 4}
    return {
        "lora": None,
        "dora": peft.LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", use_dora=True),
        "ia3": peft.IA3Config(
            task_type="CAUSAL_LM", target_modules=["down_proj"], feedforward_modules=["down_proj"]
        ),
        "prefix": peft.PrefixTuningConfig(**soft),
        "prompt": peft.PromptTuningConfig(**soft),
        "p_tuning": peft.PromptEncoderConfig(**soft, encoder_hidden_size=8),
    }


@pytest.mark.parametrize("kind", ["lora", "dora", "ia3", "prefix", "prompt", "p_tuning"])
def test_it_fits_its_own_base_and_no_wider_one(kind: str, base: Path, tmp_path: Path) -> None:
    folder = peft_folder.read(foreign(base, tmp_path / "adapter", kinds()[kind]))
    assert folder.misfits(ModelRef("hf", str(base))) == []
    wider = ModelRef("hf", str(tiny_llama(tmp_path / "wider", width=48)))
    if kind == "prefix":  # its keys and values are as wide as the heads: only the depth tells
        wider = ModelRef("hf", str(tiny_llama(tmp_path / "deeper", layers=3)))
    (fault,) = folder.misfits(wider)
    assert "an adapter of another model than" in str(fault)
    assert f"--model {base}" in fault.do


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_of_another_family_or_depth_is_told(
    family: str, base: Path, tmp_path: Path
) -> None:
    own = tiny_family(tmp_path / "own", family)
    folder = peft_folder.read(foreign(own, tmp_path / "adapter"))
    assert folder.misfits(ModelRef("hf", str(own))) == []
    (fault,) = folder.misfits(ModelRef("hf", str(base)))
    assert "there is no such module" in fault.found or "and the module's weight" in fault.found


def test_a_base_saved_without_the_name_of_its_body_is_known(tmp_path: Path) -> None:
    own = tiny_family(tmp_path / "own", "gpt2")
    adapter = peft_folder.read(foreign(own, tmp_path / "adapter"))
    (file,) = own.glob("*.safetensors")
    bare = {k.removeprefix("transformer."): v for k, v in load_file(file).items()}
    save_file(bare, file, metadata={"format": "pt"})
    assert adapter.misfits(ModelRef("hf", str(own))) == []


def test_no_adapter_is_put_on_what_has_no_weights(adapter: Path) -> None:
    (fault,) = peft_folder.read(adapter).misfits(ModelRef("fake", "scorer"))
    assert fault.expected == "a transformers model"


@pytest.mark.parametrize("missing", [True, False])
def test_tensors_without_a_place_and_places_without_tensors_are_no_warning(
    missing: bool, base: Path, adapter: Path, tmp_path: Path
) -> None:
    """PEFT warns, and answers with an adapter that is partly untrained."""
    (tmp_path / peft_folder.CONFIG).write_bytes((adapter / peft_folder.CONFIG).read_bytes())
    tensors = load_file(adapter / peft_folder.TENSORS)
    name = next(iter(tensors))
    if missing:
        tensors.pop(name)
    else:
        tensors[name.replace("layers.0", "layers.9")] = tensors[name]
    save_file(tensors, tmp_path / peft_folder.TENSORS)
    models, ref = open_models(), ModelRef("hf", str(base))
    named = models.fingerprint(ref)
    with pytest.raises(InputError, match="1 of its tensors have no place here, or are missing"):
        models.open(ModelRef("hf", str(base), deltas=(Delta("peft", str(tmp_path)),))).logprobs(
            ["a"], [[" b"]]
        )
    assert models.fingerprint(ref) == named


def test_what_peft_refuses_is_an_error_of_the_input(base: Path, tmp_path: Path) -> None:
    own = tiny_family(tmp_path / "own", "gpt2")
    delta = Delta("peft", str(foreign(own, tmp_path / "adapter")))
    with pytest.raises(InputError, match="PEFT cannot put it on: Target modules"):
        open_models().open(ModelRef("hf", str(base), deltas=(delta,))).logprobs(["a"], [[" b"]])
