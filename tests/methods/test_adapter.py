"""An adapter trained elsewhere: a row of its own, held to the content of its folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from lent import Lent

from foreign import foreign
from nshot.bench.adapt_one import adapt_one
from nshot.bench.prepare import chosen_methods, prepare, request_yaml
from nshot.bench.request import Request, read_request
from nshot.bench.run import carry_out
from nshot.board.events import ignore
from nshot.cli.main import main
from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import Delta, Example, Input, Label, ModelRef, Shots, Task
from nshot.methods import TABLE
from nshot.methods.peft.adapter import GivenAdapter
from nshot.methods.peft.lora import LoRA
from nshot.methods.spec import spec, spec_hash
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors import load
from nshot.predictors.prompted import Prompted
from spine import board_of, jsonl, rows_of, stay_here, tickets
from tiny import tiny_llama

TASK = Task("film", "classify", (Label("good"), Label("bad")))
SHOTS = Shots(
    tuple(
        Example(f"e{i}", Input((("text", f"a {('warm', 'dull')[i % 2]} film {i}"),)),
                (("good", "bad")[i % 2],)) for i in range(8)
    ),
    unlabelled=tuple(Example(f"u{i}", Input((("text", f"film {i}"),))) for i in range(4)),
)  # fmt: skip
INPUTS = [example.input for example in SHOTS.labelled]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("base") / "tiny", context=256)


@pytest.fixture(scope="module")
def folder(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a trainer leaves it: with its optimiser beside it."""
    place = foreign(base, tmp_path_factory.mktemp("given") / "checkpoint-100")
    (place / "optimizer.pt").write_bytes(b"not for reading")
    return place


@pytest.fixture
def bench(base: Path, tmp_path: Path) -> Lent:
    return Lent(HFModels(), ModelRef("hf", str(base)), tmp_path)


def scores(predictor: Any) -> np.ndarray:
    return np.array([prediction.scores for prediction in predictor.predict(INPUTS)])


def test_it_is_the_base_with_the_adapter_on_calibrated_as_a_prompt(
    bench: Lent, folder: Path
) -> None:
    assert bench.base is not None
    plain = GivenAdapter(folder=str(folder), calibration="none").adapt(TASK, SHOTS, bench)
    ref = replace(bench.base, deltas=(Delta("peft", str(folder)),))
    expected = scores(Prompted(TASK, bench.models, ref))
    np.testing.assert_array_equal(scores(plain), expected)
    assert np.abs(expected - scores(Prompted(TASK, bench.models, bench.base))).max() > 0.1
    calibrated = GivenAdapter(folder=str(folder)).adapt(TASK, SHOTS, bench)
    assert isinstance(calibrated, Prompted)
    assert len(calibrated.offsets) == 2
    assert bench.parameters == 0


def test_it_writes_answers_too(bench: Lent, folder: Path) -> None:
    task = Task("echo", "generate")
    shots = Shots((Example("g", Input((("text", "say card"),)), ("the card",)),))
    (said,) = GivenAdapter(folder=str(folder)).adapt(task, shots, bench).predict([INPUTS[0]])
    assert said.tokens_out > 0


def test_saved_it_holds_the_adapter_and_nothing_else_of_the_folder(
    bench: Lent, folder: Path, tmp_path: Path
) -> None:
    predictor = GivenAdapter(folder=str(folder)).adapt(TASK, SHOTS, bench)
    predictor.save(tmp_path / "saved")
    files = {p.name for p in (tmp_path / "saved" / "delta-0").iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors"}
    loaded = load(tmp_path / "saved", HFModels())
    assert isinstance(loaded, Prompted)
    assert Path(loaded.ref.deltas[0].folder).is_relative_to(tmp_path / "saved")
    np.testing.assert_array_equal(scores(loaded), scores(predictor))


def test_its_hash_holds_the_content_and_a_changed_folder_is_refused(
    bench: Lent, base: Path, tmp_path: Path
) -> None:
    place = foreign(base, tmp_path / "mine")
    before = GivenAdapter(folder=str(place))
    assert before == TABLE.build(spec(before))
    foreign(base, place, seed=2)
    after = GivenAdapter(folder=str(place))
    assert (before.folder, before.title) == (after.folder, after.title)
    assert spec_hash(before) != spec_hash(after)
    after.adapt(TASK, SHOTS, bench)
    with pytest.raises(CannotAdapt, match="another adapter than when this was asked for"):
        before.adapt(TASK, SHOTS, bench)


def test_one_that_does_not_fit_after_all_says_so_on_its_row(
    bench: Lent, base: Path, folder: Path, tmp_path: Path
) -> None:
    other = tiny_llama(tmp_path / "deeper", layers=3)
    method = GivenAdapter(folder=str(foreign(other, tmp_path / "adapter")))
    with pytest.raises(CannotAdapt, match="of its tensors have no place here"):
        method.adapt(TASK, SHOTS, bench)


# ---------------------------------------------------------------- asked for


def named(*folders: Path, **more: Any) -> list[str]:
    request = Request("t", methods=("majority",), adapters=tuple(map(str, folders)), **more)
    return [method.called for method in chosen_methods(request, "classify")]


def test_rows_of_the_same_name_are_told_apart_by_their_parents(
    folder: Path, tmp_path: Path
) -> None:
    twins = [tmp_path / run / "adapter" for run in ("one", "two")]
    for twin in twins:
        shutil.copytree(folder, twin)
    assert named(folder) == ["majority", "adapter:checkpoint-100"]
    assert named(*twins) == ["majority", "adapter:one/adapter", "adapter:two/adapter"]
    with pytest.raises(InputError, match="named twice"):
        named(folder, folder.parent / "." / folder.name)


def test_all_and_peft_leave_out_what_needs_a_folder(folder: Path) -> None:
    for word in ("all", "peft"):
        names = [m.name for m in chosen_methods(Request("t", methods=(word,)), "classify")]
        assert "lora" in names
        assert "adapter" not in names
    with pytest.raises(InputError, match=r"adapter: no folder(.|\n)*--set 'adapter.folder=VALUE'$"):
        chosen_methods(Request("t", methods=("adapter",)), "classify")
    one = {"adapter": {"folder": str(folder)}}
    (method,) = chosen_methods(Request("t", methods=("adapter",), settings=one), "classify")
    assert method.called == "adapter:checkpoint-100"


def test_a_setting_is_for_every_adapter(base: Path, folder: Path, tmp_path: Path) -> None:
    other = foreign(base, tmp_path / "other")
    pins = {"adapter": {"format": "chat"}}
    request = Request("t", methods=(), adapters=(str(folder), str(other)), settings=pins)
    assert [spec(method)["format"] for method in chosen_methods(request, "classify")] == [
        "chat",
        "chat",
    ]


@pytest.fixture
def train(tmp_path: Path) -> str:
    return jsonl(tmp_path / "train.jsonl", tickets(12))


def test_all_faults_come_before_anything_runs(
    train: str, base: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    out = tmp_path / "run"
    words = ["compare", train, "--model", str(base), "--out", str(out), "--methods", "majority"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--adapter", str(tmp_path / "empty"), "--adapter", str(tmp_path / "none")])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    for word in ("no adapter_config.json", "no adapter_model.safetensors", "no such folder"):
        assert word in said
    wider = tiny_llama(tmp_path / "wider", width=48)
    with pytest.raises(SystemExit) as ended:
        main(["compare", train, "--model", str(wider), "--out", str(out), "--adapter", str(folder)])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "an adapter of another model" in said
    assert f"--model {base}" in said
    assert not out.exists()


def test_an_nshot_yaml_names_the_folders_from_where_it_lies(
    train: str, base: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "runs" / "one"
    request = Request(
        train, model=str(base), methods=("majority",), adapters=(str(folder),), out=str(out)
    )
    first = prepare(request)
    text = request_yaml(first)
    assert str(tmp_path) not in text
    assert yaml.safe_load(text)["compare"]["methods"] == ["majority"]
    out.mkdir(parents=True)
    (out / "nshot.yaml").write_text(text)
    again = chosen_methods(read_request(out / "nshot.yaml"), "classify")
    assert again == first.methods


def test_a_run_measures_and_delivers_it(
    train: str, base: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One adapter that knows the task, one that knows nothing: the first is the winner."""
    stay_here(monkeypatch)
    test = jsonl(tmp_path / "test.jsonl", tickets(6, "t"))
    request = Request(
        train, test=test, model=str(base), methods=("lora",), shots=(None,), seeds=1,
        settings={"lora": {"learning_rate": 1e-2, "epochs": 6}}, out=str(tmp_path / "lora"),
    )  # fmt: skip
    adapt_one(prepare(request), ignore)
    taught = tmp_path / "lora" / "winner" / "adapter"
    shutil.copytree(next((tmp_path / "lora" / "winner").glob("delta-0")), taught)
    given = replace(
        request, methods=("majority",), adapters=(str(taught), str(folder)), out=None,
        settings={"adapter": {"format": "plain", "calibration": "none"}},
    )  # fmt: skip
    result = carry_out(prepare(replace(given, out=str(tmp_path / "run"))), ignore, "a command")
    assert result.exit_code == 0
    rows = rows_of(board_of(result.folder))
    assert rows["adapter:adapter"]["method"] == "adapter"
    assert rows["adapter:adapter"]["settings"]["folder"] == str(taught)
    assert rows["adapter:adapter"]["score"] > rows["adapter:checkpoint-100"]["score"]
    assert result.pick == "adapter:adapter"
    shutil.rmtree(taught)
    saved = json.loads((result.folder / "winner" / "nshot.json").read_text())
    assert saved["settings"]["ref"]["deltas"][0]["folder"] == "delta-0"
    (delivered,) = [r for r in board_of(result.folder)["rows"] if r["form"] == "deployed"]
    assert delivered["parent"] == "adapter:adapter"
    assert delivered["score"] == rows["adapter:adapter"]["score"]
    answers = load(result.folder / "winner", HFModels()).predict([Input((("text", "refund"),))])
    assert answers[0].answer in ("refund", "parcel", "로그인")


def test_lora_of_ours_is_an_adapter_like_any_other(bench: Lent, tmp_path: Path) -> None:
    taught = LoRA(learning_rate=1e-2, epochs=12).adapt(TASK, SHOTS, bench)
    assert isinstance(taught, Prompted)
    place = taught.ref.deltas[0].folder
    given = GivenAdapter(folder=place, calibration="none").adapt(TASK, SHOTS, bench)
    np.testing.assert_array_equal(scores(given), scores(taught))
