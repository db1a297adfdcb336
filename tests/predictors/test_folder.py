from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

import nshot
from nshot.core.errors import InputError
from nshot.core.types import Delta, ModelRef
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors import KINDS, load
from nshot.predictors.calibrated import Calibrated
from nshot.predictors.calibration import Calibration
from nshot.predictors.constant import Constant
from nshot.predictors.folder import ref_from_json, ref_to_json
from nshot.predictors.prompted import Prompted
from toys import TASK, Bench, shots

MODELS = FakeModels()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    Constant(TASK, (-1.0, -2.0, -3.0)).save(tmp_path / "winner")
    return tmp_path / "winner"


def _rewrite(folder: Path, **changes: object) -> None:
    path = folder / "nshot.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _pickle(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "head.PKL").write_bytes(b"\x80\x04.")


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda folder: (folder / "nshot.json").unlink(), "no nshot.json"),
        (lambda folder: (folder / "nshot.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "nshot.json").write_text("[]"), "not a predictor's record"),
        (lambda folder: _rewrite(folder, format=99), "format 99"),
        (lambda folder: _rewrite(folder, kind="constat"), "did you mean 'constant'?"),
        (_pickle, "can run code"),
    ],
)
def test_a_spoilt_folder_is_refused(saved: Path, spoil: Callable[[Path], None], found: str) -> None:
    load(saved, MODELS)
    spoil(saved)
    with pytest.raises(InputError, match=found.replace("?", r"\?")):
        load(saved, MODELS)


def test_missing_or_broken_arrays_are_refused(tmp_path: Path) -> None:

    from nshot.methods.fewshot.nearest_mean import NearestMean

    NearestMean().adapt(TASK, shots(), Bench(tmp_path)).save(tmp_path / "w")
    arrays = tmp_path / "w" / "arrays.safetensors"
    arrays.write_bytes(arrays.read_bytes()[:20])
    with pytest.raises(InputError, match="not safetensors"):
        load(tmp_path / "w", MODELS)
    arrays.unlink()
    with pytest.raises(InputError, match="no array 'prototypes'"):
        load(tmp_path / "w", MODELS)


def test_deltas_go_into_the_folder_and_are_found_after_a_move(tmp_path: Path) -> None:
    adapter = tmp_path / "scratch" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text("{}")
    ref = ModelRef("fake", "scorer", deltas=(Delta("peft", str(adapter), "abc"),))
    Prompted(TASK, MODELS, ref).save(tmp_path / "a")
    (adapter / "adapter_config.json").unlink()
    (tmp_path / "a").rename(tmp_path / "b")
    (delta,) = load(tmp_path / "b", MODELS).ref.deltas  # type: ignore[attr-defined]
    assert delta == Delta("peft", str(tmp_path / "b" / "delta-0"), "abc")
    assert (Path(delta.folder) / "adapter_config.json").read_text() == "{}"


def test_a_delta_that_lies_in_the_folder_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    ref = ModelRef("fake", "scorer", deltas=(Delta("peft", str(tmp_path / "adapter")),))
    data = ref_to_json(ref, tmp_path)
    assert data["deltas"][0]["folder"] == "adapter"
    assert ref_from_json(data, tmp_path) == ref


def test_a_delta_outside_the_folder_is_refused(tmp_path: Path) -> None:
    data = {"engine": "hf", "name": "x", "revision": "", "quant": None}
    for place in ("..", "/etc"):
        deltas = [{"kind": "peft", "folder": place, "sha256": ""}]
        with pytest.raises(InputError, match="out of the folder"):
            ref_from_json({**data, "deltas": deltas}, tmp_path)


def test_the_design_page_names_every_kind_of_predictor() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "design.md").read_text(encoding="utf-8")
    contract = page.split("**Predictor**")[1].split("\n- **")[0]
    assert re.findall(r"`([a-z_]+)`[,.]", contract) == list(KINDS)
    for where in KINDS.values():
        module, name = where.split(":")
        assert hasattr(import_module(module), name)


@pytest.fixture
def adapted(tmp_path: Path) -> Path:
    """A folder with arrays, an adapter and, inside a calibrated one, another folder."""
    adapter = tmp_path / "scratch" / "adapter"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text('{"peft_version": "0.1.0"}')
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    ref = ModelRef("fake", "scorer", deltas=(Delta("peft", str(adapter), "abc"),))
    inner = Prompted(TASK, MODELS, ref)
    Calibrated(inner, Calibration("temperature", 9, 2.0)).save(tmp_path / "winner")
    return tmp_path / "winner"


def test_what_changed_since_it_was_saved_is_refused_file_by_file(adapted: Path) -> None:
    nshot.load(adapted, MODELS)
    place = adapted / "predictor" / "delta-0"
    raw = (place / "adapter_model.safetensors").read_bytes()
    (place / "adapter_model.safetensors").write_bytes(raw[:-1] + b"\0")
    (place / "adapter_config.json").unlink()
    with pytest.raises(InputError) as caught:
        nshot.load(adapted, MODELS)
    words = {Path(fault.where).name: fault.found for fault in caught.value.faults}
    assert words == {
        "adapter_config.json": "missing",
        "adapter_model.safetensors": "changed since it was saved",
    }
    assert all("copy the whole folder again" in fault.do for fault in caught.value.faults)
    with pytest.raises(InputError, match="changed since it was saved"):
        nshot.load([adapted], MODELS)


def test_what_is_laid_beside_a_saved_predictor_changes_nothing(adapted: Path) -> None:
    (adapted / "README.md").write_text("a card")
    (adapted / "check.jsonl").write_text("")
    (adapted / "pictures").mkdir()
    (adapted / "pictures" / "a.png").write_bytes(b"x")
    nshot.load(adapted, MODELS)
    _rewrite(adapted, files={})
    (adapted / "predictor" / "delta-0" / "adapter_model.safetensors").write_bytes(b"other")
    nshot.load(adapted, MODELS)  # a folder of before hashes were kept


def test_an_adapter_of_a_later_peft_is_refused_with_what_to_type(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"peft_version": "99.1.0"}')
    ref = ModelRef("fake", "scorer", deltas=(Delta("peft", str(adapter), "abc"),))
    Prompted(TASK, MODELS, ref).save(tmp_path / "winner")
    with pytest.raises(InputError) as caught:
        nshot.load(tmp_path / "winner", MODELS)
    (fault,) = caught.value.faults
    assert fault.found == "written by peft 99.1.0"
    assert fault.do == "pip install 'peft>=99.1.0'"
