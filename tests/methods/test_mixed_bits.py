"""Mixed bits: as many as a size allows, where the loss of held-out labelled rows asks for them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from lent import Lent

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import Example, Input, Label, ModelRef, Shots, Task
from nshot.methods import TABLE
from nshot.methods.compress import mixed
from nshot.methods.compress.mixed import Room
from nshot.methods.contract import Brief, Rates
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.models.hf.merged import merged
from nshot.models.llamacpp.grid import on_grid
from nshot.models.llamacpp.write_gguf import BITS, file_bytes, matrices_of, write_gguf
from nshot.predictors.prompted import Prompted
from nshot.training.data.answers import encode
from nshot.training.forward import Whole
from nshot.training.objectives.nll import AnswerTokens
from nshot.training.rounding import GRIDS, expected_rises, loss_on_grid
from tiny import tiny_llama

gguf = pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")

TASK = Task(
    "films", "classify", (Label("good"), Label("bad")),
    field_names=(("text", "Review"),), answer_name="Sentiment",
)  # fmt: skip
TEXTS = ["warm and funny", "지루하고 길다 😀", "정말 재미있다", "a waste of 120 minutes",
         "bright and quick", "너무 느리다", "다시 보고 싶다", "dull from its start"]  # fmt: skip
SHOTS = Shots(
    tuple(
        Example(f"{i}", Input((("text", text),)), (TASK.label_names[i % 2],))
        for i, text in enumerate(TEXTS)
    )
)
FEW_SHOT = {"method": "few_shot", "calibration": "none"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    folder = tiny_llama(tmp_path_factory.mktemp("tiny") / "llama", width=64, context=512)
    return resolve(str(folder), "lm")


@pytest.fixture(scope="module")
def sizes(base: ModelRef) -> dict[str, int]:
    """Bytes of each plain form."""
    module, tokenizer = merged(base)
    return {bits: file_bytes(module, tokenizer, bits, base.name) for bits in BITS}


def quantise(limit: float, of: Any = FEW_SHOT) -> Any:
    return TABLE.build({"method": "quantise", "of": of, "bits": "mixed", "megabytes": limit / 1e6})


def kinds_in(file: Path) -> dict[str, str]:
    """The type of every matrix in the blocks, as the package's own reader has it."""
    return {
        one.name: one.tensor_type.name
        for one in gguf.GGUFReader(file).tensors
        if one.name.startswith("blk.") and len(one.shape) == 2
    }


def test_sizes_are_known_before_a_file_is_written(
    base: ModelRef, sizes: dict[str, int], tmp_path: Path
) -> None:
    module, tokenizer = merged(base)
    for bits in BITS:
        write_gguf(module, tokenizer, bits, tmp_path / bits, base.name)
        assert (tmp_path / bits).stat().st_size == sizes[bits]
    room = mixed.room_in(module, tokenizer, base.name, sizes["Q8_0"])
    names = list(matrices_of(module))
    some = dict(zip(names, ["Q8_0", "Q5_0", "Q4_0"] * len(names), strict=False))
    write_gguf(module, tokenizer, "Q4_0", tmp_path / "some", base.name, some)  # type: ignore[arg-type]
    assert (tmp_path / "some").stat().st_size == room.size(some)  # type: ignore[arg-type]
    assert room.size(room.plain("Q5_0")) == sizes["Q5_0"]
    there = kinds_in(tmp_path / "some")
    assert there == {matrices_of(module)[name]: kind for name, kind in some.items()}


def test_bytes_go_where_they_lower_the_loss_most() -> None:
    """Two matrices of 320 weights: Q5_0 takes 40 bytes more than Q4_0, which are padded to 32."""
    rises = {
        "a": {"Q4_0": 1.0, "Q5_0": 0.4, "Q8_0": 0.0},
        "b": {"Q4_0": 0.5, "Q5_0": 0.1, "Q8_0": 0},
    }
    sizes = {"Q4_0": 192, "Q5_0": 224, "Q8_0": 352}

    def filled(more: int) -> tuple[str, str]:
        room = Room(1000, {"a": 320, "b": 320}, 1000 + more)
        kinds = room.filled(rises)  # type: ignore[arg-type]
        assert room.size(kinds) == 1000 + sum(sizes[one] - 192 for one in kinds.values())
        assert room.size(kinds) <= room.limit
        return kinds["a"], kinds["b"]

    assert filled(31) == ("Q4_0", "Q4_0")
    assert filled(32) == ("Q5_0", "Q4_0")
    assert filled(64) == ("Q5_0", "Q5_0")
    assert filled(191) == ("Q5_0", "Q5_0"), "the rest is too little for eight bits"
    assert filled(192) == ("Q8_0", "Q5_0")
    assert filled(5000) == ("Q8_0", "Q8_0")
    rises["b"] = {"Q4_0": 0.0, "Q5_0": 0.1, "Q8_0": 0.1}
    assert filled(5000) == ("Q8_0", "Q4_0"), "no bytes where more bits are worse"


def test_a_rise_is_the_slope_along_what_rounding_moves(base: ModelRef) -> None:
    module, tokenizer = merged(base)
    rows, _ = encode(TASK, "plain", SHOTS.labelled[:3], tokenizer, 128)
    names = ["model.layers.0.self_attn.k_proj.weight", "model.layers.1.mlp.down_proj.weight"]
    rises = expected_rises(module, rows, AnswerTokens(), names)
    reader = Whole(module, "cpu")
    for name in names:
        weight = module.get_parameter(name)
        own = weight.detach().clone()
        for bits in GRIDS:
            moved, total = on_grid(own, bits) - own, 0.0
            for row in rows:
                ends = []
                for step in (0.05, -0.05):
                    weight.data = own + step * moved
                    with torch.no_grad():
                        ends.append(float(AnswerTokens().total(reader, [row]).double()))
                total += ((ends[0] - ends[1]) / 0.1) ** 2 / 2
            weight.data = own
            assert rises[name][bits] == pytest.approx(total, rel=0.05, abs=1e-7)


def test_a_loss_on_the_grid_is_that_of_rounded_weights(base: ModelRef) -> None:
    module, tokenizer = merged(base)
    rows, _ = encode(TASK, "plain", SHOTS.labelled, tokenizer, 128)
    kinds = {name: GRIDS[i % 3] for i, name in enumerate(matrices_of(module))}
    before = loss_on_grid(module, rows, AnswerTokens(), {})
    ours = loss_on_grid(module, rows, AnswerTokens(), kinds)
    assert loss_on_grid(module, rows, AnswerTokens(), {}) == before, "nothing stays rounded"
    for name, bits in kinds.items():
        weight = module.get_parameter(name)
        weight.data = on_grid(weight.data, bits)
    assert loss_on_grid(module, rows, AnswerTokens(), {}) == pytest.approx(ours, rel=1e-6)
    assert abs(before - ours) > 1e-3


def test_the_file_fits_and_is_the_same_again(
    base: ModelRef, sizes: dict[str, int], tmp_path: Path
) -> None:
    limit = (sizes["Q5_0"] + sizes["Q8_0"]) // 2
    files, notes = [], []
    for run in "ab":
        bench = Lent(open_models(), base, tmp_path / run)
        predictor = quantise(limit).adapt(TASK, SHOTS, bench)
        file = tmp_path / run / "gguf" / "model.gguf"
        assert file.stat().st_size <= limit
        assert len(predictor.predict([row.input for row in SHOTS.labelled])) == len(TEXTS)
        files.append(file)
        notes.append(bench.notes)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert notes[0] == notes[1]
    loss, more = next(n for n in notes[0] if "lowest loss" in n), notes[0][1]
    best = re.search(r"MB: (\S+) has", loss)
    figures = {form: float(value) for form, value in re.findall(r"(\w+) ([\d.]+) \(", loss)}
    assert set(figures) == {"Q5_0", "Q4_0", "mixed"}, "and Q8_0 is too large"
    assert best is not None
    assert figures[best[1]] == min(figures.values())
    assert f"on {len(TEXTS)} labelled rows of 2 folds" in loss
    kinds = set(kinds_in(files[0]).values())
    assert more.startswith("more than Q4_0: ")
    assert {kind for kind in ("Q8_0", "Q5_0") if kind in more} == kinds - {"Q4_0"}


def test_rows_are_asked_of_a_model_that_did_not_learn_from_them(
    base: ModelRef, tmp_path: Path
) -> None:
    bench = Lent(open_models(), base, tmp_path)
    method = TABLE.build({**FEW_SHOT, "n": 2})
    whole: Any = method.adapt(TASK, SHOTS, bench)

    def taught(number: int, part: Shots) -> Any:
        return bench.adapt(f"fold {number}", method, TASK, part)

    some = mixed.cases(TASK, SHOTS, whole, taught, 0)
    assert len(some) == 2
    for case in some:
        assert case.predictor.demos
        assert not set(case.predictor.demos) & set(case.rows)
    assert sorted(row.id for case in some for row in case.rows) == [
        row.id for row in SHOTS.labelled
    ]
    (alone,) = mixed.cases(TASK, SHOTS, whole, None, 0)
    assert not set(whole.demos) & set(alone.rows)
    with pytest.raises(CannotAdapt, match="there are none"):
        mixed.cases(TASK, Shots(whole.demos), whole, None, 0)


def test_rows_that_are_looked_at_have_every_label(base: ModelRef) -> None:
    """Labels in turn, as many files have them: every k-th row would be of one label."""
    rows = tuple(
        Example(f"{i}", Input((("text", f"film {i}"),)), (TASK.label_names[i % 2],))
        for i in range(2 * mixed.LOOKED_AT)
    )
    whole: Any = Prompted(TASK, open_models(), base)
    (case,) = mixed.cases(TASK, Shots(rows), whole, None, 0)
    assert Counter(row.label for row in case.rows) == dict.fromkeys(
        TASK.label_names, mixed.LOOKED_AT // 2
    )


def test_limits_that_nothing_fits_and_that_all_fits(
    base: ModelRef, sizes: dict[str, int], tmp_path: Path
) -> None:
    of = {"method": "zero_shot", "calibration": "none"}
    bench = Lent(open_models(), base, tmp_path / "small")
    with pytest.raises(CannotAdapt, match="the fewest bits there are") as refused:
        quantise(sizes["Q4_0"] - 1, of).adapt(TASK, SHOTS, bench)
    assert not (tmp_path / "small" / "gguf").exists()
    cure = re.search(r"quantise\.megabytes=([\d.]+)", str(refused.value))
    assert cure is not None
    assert float(cure[1]) * 1e6 >= sizes["Q4_0"]
    bench = Lent(open_models(), base, tmp_path / "large")
    quantise(sizes["Q8_0"], of).adapt(TASK, SHOTS, bench)
    assert any("enough for Q8_0" in note for note in bench.notes)
    assert set(kinds_in(tmp_path / "large" / "gguf" / "model.gguf").values()) == {"Q8_0"}


def test_a_limit_and_mixed_bits_belong_together() -> None:
    for settings in ({"bits": "mixed"}, {"megabytes": 90.0}, {"bits": "Q8_0", "megabytes": 90}):
        with pytest.raises(InputError, match="bits=mixed and megabytes=N"):
            TABLE.build({"method": "quantise", "of": {"method": "zero_shot"}, **settings})
    assert quantise(92.5e6).called == "quantise:mixed-92.5MB:few_shot"


def test_what_choosing_takes_is_forecast(base: ModelRef) -> None:
    can = open_models().open(base).facts.can
    brief = Brief(
        TASK, 40, 0, 20, 4, 9.0, 20, base, can, 256, 2, None, Rates(100, 30, 100),
        architecture="llama",
    )  # fmt: skip
    lora: Any = {"method": "lora"}
    plain = TABLE.build({"method": "quantise", "of": lora, "bits": "Q4_0"}).forecast(brief)
    taught = TABLE.build(lora).forecast(brief)
    assert quantise(1e6, lora).forecast(brief).seconds > plain.seconds + taught.seconds / 2


def test_what_keeps_more_is_said_in_ranges() -> None:
    kinds: dict[str, Any] = {f"model.layers.{i}.mlp.up_proj.weight": "Q8_0" for i in (0, 1, 2, 5)}
    kinds["model.layers.3.self_attn.v_proj.weight"] = "Q5_0"
    kinds["model.layers.4.self_attn.v_proj.weight"] = "Q4_0"
    text = mixed.summary(kinds)
    assert text == "more than Q4_0: Q8_0 for up_proj of layers 0-2, 5; Q5_0 for v_proj of layer 3"
    assert mixed.summary(dict.fromkeys(kinds, "Q4_0")) == "more than Q4_0: no matrix"
