"""SetFit on a tiny random encoder: it learns, saves what others can open, and leaves the base."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lent import Lent, resumed

import nshot
from encoders import tiny_encoder
from nshot.core.errors import CannotAdapt, DidNotLearn
from nshot.core.types import Example, Input, Label, ModelRef, Shots, Task
from nshot.methods import TABLE
from nshot.methods.contract import Brief, Rates
from nshot.methods.fewshot.setfit import SetFit
from nshot.models import open_models
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors import load
from nshot.predictors.label_head import LabelHead
from spine import stay_here

TASK = Task("film", "classify", (Label("positive"), Label("negative"), Label("neither")))
WORDS = {
    "positive": ("warm", "재미있다"),
    "negative": ("dull", "지루하다"),
    "neither": ("long", "x"),
}
QUICK = {"learning_rate": 2e-3, "iterations": 12, "batch_size": 8}


def example(i: int) -> Example:
    label = TASK.label_names[i % 3]
    return Example(f"e{i}", Input((("text", f"a {WORDS[label][i // 3 % 2]} film {i}"),)), (label,))


SHOTS = Shots(tuple(example(i) for i in range(12)))
INPUTS = [example(i).input for i in range(12)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture
def bench(folder, models, tmp_path) -> Lent:
    return Lent(models, None, tmp_path, encoder=ModelRef("hf", str(folder)))


def scores(predictor) -> np.ndarray:
    return np.array([prediction.scores for prediction in predictor.predict(INPUTS)])


def content(encoder) -> str:
    whole = hashlib.sha256()
    for parameter in encoder._model.parameters():
        whole.update(parameter.detach().numpy().tobytes())
    return whole.hexdigest()


def tuned_folder(predictor) -> Path:
    return Path(predictor.source.ref.deltas[0].folder)


def test_it_learns_its_shots_and_leaves_the_encoder_as_it_was(bench, models):
    encoder = models.encoder(bench.encoder)
    before = content(encoder)
    predictor = SetFit(**QUICK).adapt(TASK, SHOTS, bench)
    assert [p.answer for p in predictor.predict(INPUTS)] == [e.label for e in SHOTS.labelled]
    assert content(encoder) == before
    assert models.encoder(bench.encoder) is encoder
    weights = sum(p.numel() for p in encoder._model.parameters())
    assert bench.parameters == weights + 3 * 32 + 3
    assert len(bench.curve[0]) == 36, "2 * 12 * 12 pairs in batches of 8"
    assert bench.notes == []


def test_a_folder_that_was_moved_answers_the_same_without_the_base(bench, tmp_path):
    predictor = SetFit(**QUICK).adapt(TASK, SHOTS, bench)
    predictor.save(tmp_path / "saved")
    expected = scores(predictor)
    shutil.rmtree(tuned_folder(predictor))
    shutil.move(tmp_path / "saved", tmp_path / "moved")
    loaded = load(tmp_path / "moved", HFModels())
    assert isinstance(loaded, LabelHead)
    assert tuned_folder(loaded).is_relative_to(tmp_path / "moved")
    np.testing.assert_array_equal(scores(loaded), expected)
    assert {p.suffix for p in tuned_folder(loaded).rglob("*") if p.is_file()} <= {
        ".json", ".safetensors", ".jinja", ".txt",
    }  # fmt: skip
    told = "\n".join(p.read_text(encoding="utf-8") for p in tuned_folder(loaded).rglob("*.json"))
    assert str(tmp_path) not in told, "no path of this machine in what is delivered"


PLAIN = """
import json, sys
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer

encoder = SentenceTransformer(sys.argv[1] + "/delta-0", device="cpu")
head = load_file(sys.argv[1] + "/arrays.safetensors")
vectors = encoder.encode(json.loads(sys.argv[2]), normalize_embeddings=True)
print(json.dumps((vectors @ head["weights"] + head["bias"]).tolist()))
assert "nshot" not in sys.modules
"""


def test_a_plain_program_gets_the_same_scores(bench, tmp_path):
    predictor = SetFit(**QUICK).adapt(TASK, SHOTS, bench)
    predictor.save(tmp_path / "saved")
    words = [str(tmp_path / "saved"), json.dumps([one.text for one in INPUTS])]
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, *words], capture_output=True, text=True, check=True
    )
    logits = np.array(json.loads(done.stdout.splitlines()[-1]))
    shifted = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    np.testing.assert_allclose(scores(predictor), shifted, atol=1e-4)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(bench, models, tmp_path):
    def tuned(name: str, seed: int) -> str:
        other = Lent(models, None, tmp_path / name, seed=seed, encoder=bench.encoder)
        return SetFit(**QUICK).adapt(TASK, SHOTS, other).source.ref.deltas[0].sha256

    assert tuned("a", 0) == tuned("b", 0) != tuned("c", 1)


def test_a_killed_job_is_taken_up_where_it_was(bench, tmp_path, models):
    settings = QUICK | {"iterations": 20}
    whole = SetFit(**settings).adapt(TASK, SHOTS, bench).source.ref.deltas[0].sha256
    again = Lent(models, None, tmp_path / "again", encoder=bench.encoder)
    taken_up = resumed(SetFit(**settings), TASK, SHOTS, again, at=52)
    assert taken_up.source.ref.deltas[0].sha256 == whole
    assert again.steps[0] == (51, 60, "training")
    assert not list((tmp_path / "again" / "checkpoint").glob("*.safetensors"))


def test_without_a_rate_it_did_not_learn(bench):
    with pytest.raises(DidNotLearn, match="began at loss"):
        SetFit(**QUICK | {"learning_rate": 0.0}).adapt(TASK, SHOTS, bench)


def test_without_iterations_the_encoder_stays_and_that_is_said(bench):
    predictor = SetFit(iterations=0).adapt(TASK, SHOTS, bench)
    assert predictor.source.ref == bench.encoder
    assert bench.notes == ["the encoder stayed as it is: no iterations"]
    assert bench.parameters == 3 * 32 + 3


def test_long_texts_lose_their_end_and_that_is_said(bench):
    long = Example("long", Input((("text", "word " * 200),)), ("positive",))
    predictor = SetFit(**QUICK).adapt(TASK, Shots((*SHOTS.labelled, long)), bench)
    assert bench.notes == ["1 training texts longer than 64 tokens lost their end"]
    assert predictor.predict([long.input])[0].answer == "positive"


def test_one_shot_of_a_label_pairs_with_itself(bench):
    predictor = SetFit(**QUICK).adapt(TASK, Shots(SHOTS.labelled[:3]), bench)
    assert [p.answer for p in predictor.predict(INPUTS[:3])] == list(TASK.label_names)


def test_many_labels_of_which_some_have_no_shot(bench):
    many = Task("many", "classify", tuple(Label(f"label {i}") for i in range(77)))
    shots = tuple(
        Example(str(i), Input((("text", f"{chr(97 + i % 25)} {i}"),)), (f"label {i}",))
        for i in range(70)
    )
    settings = QUICK | {"iterations": 2, "max_steps": 20}
    predictor = SetFit(**settings).adapt(many, Shots(shots), bench)
    told = predictor.predict([shots[3].input])[0]
    assert len(told.scores) == 77
    assert max(told.scores[70:]) < -20
    assert len(bench.curve[0]) == 20


def test_what_cannot_be_tuned_says_why(bench, tmp_path):
    one = Shots(tuple(e for e in SHOTS.labelled if e.label == "positive"))
    with pytest.raises(CannotAdapt, match="all shots have one label"):
        SetFit(**QUICK).adapt(TASK, one, bench)
    fake = Lent(open_models(), None, tmp_path, encoder=ModelRef("fake", "encoder"))
    with pytest.raises(CannotAdapt, match="encoder has no weights to train"):
        SetFit(**QUICK).adapt(TASK, SHOTS, fake)


def test_of_tuned_encoders_only_the_last_stay_in_memory(folder, tmp_path):
    from nshot.core.types import Delta

    models = HFModels()
    base = models.encoder(ModelRef("hf", str(folder)))
    refs = [
        ModelRef("hf", str(folder), deltas=(Delta("encoder", str(folder), str(i)),))
        for i in range(6)
    ]
    opened = [models.encoder(ref) for ref in refs]
    assert models.encoder(refs[-1]) is opened[-1]
    assert len(models._encoders) == 5
    assert models.encoder(ModelRef("hf", str(folder))) is base


def test_compare_searches_delivers_and_what_was_moved_still_answers(folder, tmp_path, monkeypatch):
    stay_here(monkeypatch)
    rows = [f"{e.input.text},{e.label}" for e in map(example, range(24))]
    (tmp_path / "train.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    asked = [f"so {e.input.text},{e.label}" for e in map(example, range(30, 48))]
    (tmp_path / "test.csv").write_text("\n".join(["text,label", *asked]), encoding="utf-8")
    pinned = {"learning_rate": 2e-3, "batch_size": 8, "max_steps": 30}
    result = nshot.compare(
        tmp_path / "train.csv", test=tmp_path / "test.csv", encoder=str(folder), shots=(4,),
        seeds=1, methods=("setfit",), settings={"setfit": pinned}, out=tmp_path / "run",
    )  # fmt: skip
    assert result.exit_code == 0
    board = json.loads((tmp_path / "run" / "leaderboard.json").read_text(encoding="utf-8"))
    rows = {row["form"]: row for row in board["rows"]}
    assert {trial["settings"]["iterations"] for trial in rows["trained"]["trials"]} == {0, 20}
    assert rows["deployed"]["score"] > 1 / 3
    shutil.move(tmp_path / "run" / "winner", tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "run")
    assert nshot.load(tmp_path / "elsewhere").check() == []


def test_its_settings_are_data():
    assert TABLE.build({"method": "setfit", "iterations": 5}) == SetFit(iterations=5)


def test_a_trial_takes_fewer_pairs_and_no_more_than_were_asked_for():
    assert SetFit().for_trial == SetFit(iterations=5)
    assert SetFit(iterations=0).for_trial == SetFit(iterations=0)


def test_a_short_trial_stops_after_a_few_steps():
    assert SetFit().for_short_trial(brief(24), 12.0) == SetFit(iterations=5, max_steps=6)
    assert SetFit().for_short_trial(brief(8), 12.0) is None, "its trial has 5 steps"


def seconds(labelled: int) -> float:
    """Forecast where a token takes a millisecond."""
    return SetFit().forecast(brief(labelled)).seconds


def brief(labelled: int) -> Brief:
    return Brief(
        task=TASK, labelled=labelled, unlabelled=0, per_label=labelled // 3, test=100, tokens=10,
        longest=40, base=None, abilities=frozenset(), context=0, layers=0,
        encoder=ModelRef("hf", "e"), rates=Rates(1.0, 1.0, 1000.0),
    )  # fmt: skip


def test_the_forecast_counts_a_text_once_in_a_batch():
    every_side = 60 * 3 * 32 * 10 / 1000
    assert 0.5 * every_side < seconds(24) < 0.7 * every_side  # 24 texts, of which a batch has 18
    all_apart = 320 * 3 * 32 * 10 / 1000
    assert all_apart < seconds(3000) < 1.4 * all_apart
