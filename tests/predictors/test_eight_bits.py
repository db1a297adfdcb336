"""Vectors and weights in 8 bits: numbers of the grid stay, a folder answers as what was saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load_file

from encoders import tiny_encoder
from nshot.core.types import Example, Input, Label, Task
from nshot.models import open_models
from nshot.models.base import Models
from nshot.models.catalog import resolve
from nshot.predictors import load
from nshot.predictors.eight_bits import InEightBits, as_kept, on_grid
from nshot.predictors.features import Encoded
from nshot.predictors.folder import ARRAYS, require_intact
from nshot.predictors.label_head import LabelHead
from nshot.predictors.label_sets import LabelSetHead
from nshot.predictors.nearest import Nearest, Vote
from nshot.use.export.standalone_answer import arrays_in

TASK = Task("films", "classify", (Label("good"), Label("bad"), Label("so so")))
TEXTS = ["a warm film", "지루하다 😀", "", "넉넉하고 따뜻한 영화", "a waste of 120 minutes"]
INPUTS = [Input((("text", text),)) for text in TEXTS]


def test_by_hand() -> None:
    """The largest of (2, -1, 0.5) is 127 steps of 2/127: -63.5 is halfway and goes to the even."""
    rows = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [0.001, -0.003, 0.002]])
    kept = as_kept("x", rows, 1, True)
    assert kept["x"].dtype == np.int8
    assert kept["x"].tolist() == [[127, -64, 32], [0, 0, 0], [42, -127, 85]]
    np.testing.assert_allclose(kept["x.scales"][:, 0], [2 / 127, 0, 0.003 / 127], rtol=1e-6)
    assert list(as_kept("x", rows, 1, False)) == ["x"]


@settings(deadline=None, max_examples=60)
@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 5), st.integers(1, 8)),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    st.sampled_from([0, 1]),
)
def test_numbers_of_the_grid_stay_and_none_is_far(values: Any, axis: int) -> None:
    once = on_grid(values, axis)
    assert on_grid(once, axis).tobytes() == once.tobytes()
    step = np.abs(values).max(axis=axis, keepdims=True) / 127
    assert (np.abs(once - values) <= 0.501 * step + 1e-30).all()


@pytest.fixture(scope="module")
def models() -> Models:
    return open_models()


@pytest.fixture(scope="module")
def source(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    folder = tiny_encoder(tmp_path_factory.mktemp("tiny") / "encoder", width=64)
    return Encoded(models, resolve(str(folder), "encoder"))


def heads(source: Encoded) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    vectors = source.read(INPUTS).matrix
    weights, bias = draw.standard_normal((64, 3)), draw.standard_normal(3)
    several = Task("films", "multilabel", TASK.labels)
    return {
        "weights": LabelHead(TASK, source, weights, bias),
        "weights of sets": LabelSetHead(several, source, weights, bias, np.full(3, 0.5)),
        "prototypes": Nearest(TASK, source, vectors[:3]),
        "vectors": Vote(TASK, source, vectors, np.array([0, 1, 2, 0, 1]), 3),
    }


@pytest.mark.parametrize("kind", ["weights", "weights of sets", "prototypes", "vectors"])
def test_a_folder_answers_as_what_was_saved_and_is_smaller(
    kind: str, source: Encoded, models: Models, tmp_path: Path
) -> None:
    whole = heads(source)[kind]
    assert isinstance(whole, InEightBits)
    small = whole.in_eight_bits()
    before, answers = whole.predict(INPUTS), small.predict(INPUTS)
    gap = np.abs(np.array([a.scores for a in answers]) - np.array([b.scores for b in before]))
    assert 0 < gap.max() < 0.1 or kind == "vectors", "eight bits are near, and not the same"
    small.save(tmp_path / "small")
    whole.save(tmp_path / "whole")
    require_intact(tmp_path / "small")
    again = load(tmp_path / "small", models)
    assert [a.scores for a in again.predict(INPUTS)] == [a.scores for a in answers]
    again.save(tmp_path / "again")
    files = [(tmp_path / name / ARRAYS).read_bytes() for name in ("small", "again")]
    assert files[0] == files[1]
    name = kind.split()[0]
    kept = load_file(tmp_path / "small" / ARRAYS)
    assert kept[name].dtype == np.int8
    assert kept[name].nbytes * 4 <= load_file(tmp_path / "whole" / ARRAYS)[name].nbytes


def test_labels_that_come_later_are_rounded_too(source: Encoded, tmp_path: Path) -> None:
    small = heads(source)["prototypes"].in_eight_bits()
    fresh = [Example("9", Input((("text", "환불해 주세요"),)), ("refund",))]
    more = small.extend(fresh)
    assert more.prototypes[:3].tobytes() == small.prototypes.tobytes()
    assert on_grid(more.prototypes, 1).tobytes() == more.prototypes.tobytes()
    (answer,) = more.predict([fresh[0].input])
    assert answer.answer == "refund"


def test_the_program_without_nshot_reads_them(source: Encoded, tmp_path: Path) -> None:
    small = heads(source)["weights"].in_eight_bits()
    small.save(tmp_path)
    assert arrays_in(tmp_path / ARRAYS)["weights"].tobytes() == small.weights.tobytes()
