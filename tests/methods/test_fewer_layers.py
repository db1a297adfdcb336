"""A student with fewer layers learns from its teacher, and stands alone when it is saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lent import Lent, resumed
from test_contract import ASKED, SHOTS, TASK

from nshot.core.errors import CannotAdapt
from nshot.core.files import folder_bytes
from nshot.core.types import Delta, ModelRef, Shots
from nshot.methods import TABLE
from nshot.methods.compress.distil import Distil
from nshot.methods.compress.fewer_layers import FewerLayers
from nshot.methods.compress.from_folder import FromFolder
from nshot.methods.trivial.tfidf_lr import TfIdfLR
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.predictors import load
from nshot.predictors.prompted import Prompted
from nshot.use.gguf import write
from tiny import tiny_llama

FAST = {"learning_rate": 5e-3, "epochs": 12}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    folder = tmp_path_factory.mktemp("fewer") / "tiny"
    return resolve(str(tiny_llama(folder, layers=4, context=256)), "lm")


@pytest.fixture(scope="module")
def teacher(base: ModelRef, tmp_path_factory: pytest.TempPathFactory) -> FromFolder:
    """A LoRA that knows the shots."""
    folder = tmp_path_factory.mktemp("teacher")
    lora = TABLE.build({"method": "lora", "learning_rate": 1e-2, "epochs": 16})
    lora.adapt(TASK, SHOTS, Lent(open_models(), base, folder)).save(folder / "taught")
    return FromFolder(folder=str(folder / "taught"))


def test_a_student_is_smaller_and_needs_no_base(
    base: ModelRef, teacher: FromFolder, tmp_path: Path
) -> None:
    bench = Lent(open_models(), base, tmp_path / "job")
    student = Distil(teacher=teacher, student=FewerLayers(**FAST)).adapt(TASK, SHOTS, bench)
    assert any("of 4 layers these stay: " in note for note in bench.notes)
    assert list((tmp_path / "job").glob("teacher-*.safetensors")), "asked once"
    student.save(tmp_path / "saved")
    moved = (tmp_path / "saved").rename(tmp_path / "elsewhere")
    models = open_models()
    again = load(moved, models)
    assert again.predict(ASKED) == student.predict(ASKED)
    assert isinstance(again, Prompted)
    assert list(models.resident_bytes()) == [again.ref.deltas[0].folder], "its base is not opened"
    facts, whole = models.open(again.ref).facts, bench.models.open(base).facts
    assert (facts.layers, whole.layers) == (2, 4)
    assert facts.parameters < whole.parameters
    alone = resolve(again.ref.deltas[0].folder, "lm")
    assert open_models().open(alone).facts.layers == 2, "a plain Hugging Face folder"


def test_it_comes_nearer_to_its_teacher_than_alone(
    base: ModelRef, teacher: FromFolder, tmp_path: Path
) -> None:
    """Of rows without labels a student alone learns nothing."""
    knowing = teacher.adapt(TASK, SHOTS, Lent(open_models(), base, tmp_path))
    more = tuple(replace(e, targets=()) for e in SHOTS.labelled[2:])
    shots = Shots(SHOTS.labelled[:2], more)
    right = np.exp([one.scores for one in knowing.predict([e.input for e in SHOTS.labelled])])
    off = {}
    for name, method in (
        ("alone", FewerLayers(**FAST)),
        ("taught", Distil(teacher=teacher, student=FewerLayers(**FAST))),
        ("reverse", Distil(teacher=teacher, student=FewerLayers(beta=1.0, **FAST))),
    ):
        student = method.adapt(TASK, shots, Lent(open_models(), base, tmp_path / name))
        scores = [one.scores for one in student.predict([e.input for e in SHOTS.labelled])]
        off[name] = float(np.abs(np.exp(scores) - right).mean())
    assert off["taught"] < off["alone"] / 2
    assert off["reverse"] < off["alone"] / 2


def test_killed_and_taken_up_it_is_the_same(base: ModelRef, tmp_path: Path) -> None:
    method = FewerLayers(layers=2, **FAST)
    whole = method.adapt(TASK, SHOTS, Lent(open_models(), base, tmp_path / "whole"))
    bench = Lent(open_models(), base, tmp_path / "killed")
    assert resumed(method, TASK, SHOTS, bench, 7).predict(ASKED) == whole.predict(ASKED)


def test_what_a_teacher_cannot_show_is_taught_by_answers(base: ModelRef, tmp_path: Path) -> None:
    bench = Lent(open_models(), base, tmp_path)
    method = Distil(teacher=TfIdfLR(), student=FewerLayers(**FAST))
    method.adapt(TASK, SHOTS, bench)
    assert any("no language model that answers by itself" in note for note in bench.notes)


def test_a_teacher_of_other_tokens_is_refused(teacher: FromFolder, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    other = tiny_llama(tmp_path / "other", layers=4)
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.add_tokens(["쪽말"])
    tokenizer.save_pretrained(other)
    bench = Lent(open_models(), resolve(str(other), "lm"), tmp_path / "job")
    with pytest.raises(CannotAdapt, match="reads texts as other tokens"):
        Distil(teacher=teacher, student=FewerLayers()).adapt(TASK, SHOTS, bench)


def test_a_teacher_that_knows_less_than_the_untaught_model_is_named(
    base: ModelRef, teacher: FromFolder, tmp_path: Path
) -> None:
    turned = tuple(
        replace(e, targets=("bad" if e.label == "good" else "good",)) for e in SHOTS.labelled
    )
    bench = Lent(open_models(), base, tmp_path)
    shots = Shots(turned, SHOTS.unlabelled)
    Distil(teacher=teacher, student=FewerLayers(**FAST), hard=0.9).adapt(TASK, shots, bench)
    assert any("it has little to teach" in note for note in bench.notes)


def test_its_file_is_written_for_llama_cpp(base: ModelRef, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    bench = Lent(open_models(), base, tmp_path / "job")
    FewerLayers(**FAST).adapt(TASK, SHOTS, bench).save(tmp_path / "saved")
    one = write(str(tmp_path / "saved"), "F16", tmp_path / "file")
    assert one.faults("F16") == []
    assert one.bytes_before < folder_bytes(Path(base.name))


def test_on_texts_of_its_own_it_comes_nearer_to_its_teacher(base: ModelRef, tmp_path: Path) -> None:
    """Reverse KL along what the student writes, before and after."""
    from nshot.models.base import Decoding
    from nshot.training.data.taught import expectations, taught
    from nshot.training.forward import Whole
    from nshot.training.objectives.distillation import Distillation
    from nshot.training.rollouts import rollouts

    task = replace(TASK, kind="generate", labels=())
    zero = TABLE.build({"method": "zero_shot"})

    def away(own_steps: int) -> float:
        bench = Lent(open_models(), base, tmp_path / str(own_steps))
        student = FewerLayers(layers=3, epochs=1, beta=1.0, own_steps=own_steps, learning_rate=3e-3)
        made = Distil(teacher=zero, student=student, hard=0.0).adapt(task, SHOTS, bench)
        assert isinstance(made, Prompted)
        prompts = made.prompts([e.input for e in SHOTS.labelled])
        with bench.models.lend(made.ref) as lent:
            written = rollouts(lent, prompts, Decoding(8, 1.0, seed=5), 4, "w")
            rows = [one.row for one in written]
            known = expectations(bench.models.open(base), rows, 64, 1.0)
            both = taught(rows, known, "base", [0.0] * len(rows))
            objective = Distillation(1.0, 1.0)
            return float(objective.total(Whole(lent.module, "cpu"), both)) / objective.weight(both)

    assert away(20) < 0.9 * away(0)


def test_beside_adapters_of_its_base_each_row_is_answered_by_its_own_model(
    base: ModelRef, teacher: FromFolder, tmp_path: Path
) -> None:
    bench = Lent(open_models(), base, tmp_path)
    student = FewerLayers(**FAST).adapt(TASK, SHOTS, bench)
    tuned = load(Path(teacher.folder), bench.models)
    assert isinstance(student, Prompted)
    assert isinstance(tuned, Prompted)
    refs = [student.ref, tuned.ref, base, student.ref, tuned.ref]
    prompts = student.prompts(ASKED)
    answers = [[" good", " bad"]] * len(refs)
    together = bench.models.open_rows(refs).logprobs(prompts, answers)
    for i, ref in enumerate(refs):
        (alone,) = bench.models.open(ref).logprobs(prompts[i : i + 1], answers[:1])
        np.testing.assert_allclose(together[i].logprobs, alone.logprobs, atol=1e-4)


def test_a_whole_model_takes_the_place_of_all_before_it() -> None:
    small, tuned = Delta("model", "/small", "s"), Delta("weights", "/tuned", "t")
    ref = ModelRef("hf", "base", "r", None, (Delta("peft", "/a"), small, tuned))
    assert ref.effective == ModelRef("hf", "/small", "s", None, (tuned,))
    assert ref.base.effective == ref.base == ModelRef("hf", "base", "r")
