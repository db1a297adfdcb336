"""Metrics of texts and formats: by hand, against sacrebleu, and by their properties."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sacrebleu
from hypothesis import example as case
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.metrics import METRICS, metric_of, misfits, points, score
from nshot.metrics.formats import last_number, slots
from nshot.metrics.metric import units
from nshot.metrics.texts import common_subsequence

unhurried = settings(deadline=None, max_examples=40)
WRITTEN = [
    name
    for name, metric in METRICS.items()
    if "generate" in metric.kinds
    and name not in ("keeps_format", "reward")  # of the task file: their own tests
]
E2E = "name[The Eagle], eatType[coffee shop], familyFriendly[yes], priceRange[less than £20]"


def example(*targets: str, text: str = E2E) -> Example:
    return Example("x", Input(fields=(("input", text),)), targets)


def one(metric: str, answer: str, *targets: str, text: str = E2E) -> float:
    found = metric_of(Task("t", "generate"), metric)
    statistics = found.statistics(example(*targets, text=text), Prediction(answer))
    return score(found, np.array([statistics]))


# ------------------------------------------------------------------ by hand


@pytest.mark.parametrize(
    ("answer", "targets", "expected"),
    [
        ("the cat sat", ("the cat sat",), 1.0),
        ("The Cat, sat!", ("the cat sat",), 1.0),
        ("sat cat the", ("the cat sat",), 1 / 3),
        ("police kill the gunman", ("police killed the gunman",), 3 / 4),
        ("a b", ("c d", "a x b"), 2 * 2 / 5),
        ("Café 1,200.0", ("cafe 1200",), 1.0),
        ("", ("a",), 0.0),
        ("a", ("",), 0.0),
        ("독수리는 프랑스 식당", ("독수리가 프랑스 식당",), 2 * 8 / 18),
        ("猫が好き", ("犬が好き",), 3 / 4),
        ("แมว", ("แมว",), 1.0),
    ],
)
def test_rouge_l(answer: str, targets: tuple[str, ...], expected: float) -> None:
    assert one("rouge_l", answer, *targets) == pytest.approx(expected)


@unhurried
@given(st.text("abc"), st.text("abc"))
def test_the_common_subsequence_is_that_of_the_table(a: str, b: str) -> None:
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            longer = max(table[i, j + 1], table[i + 1, j])
            table[i + 1, j + 1] = table[i, j] + 1 if x == y else longer
    assert common_subsequence(a, b) == table[-1, -1]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The Eagle is a family friendly coffee shop for less than £20.", 1.0),
        ("the eagle: a coffee-shop, less than 20, for families", 1.0),
        ("The Eagle is a coffee shop, not family friendly.", 2 / 4),
        ("The Eagles are a cheap pub.", 0.0),
        ("독수리 The Eagle은 coffee shop입니다.", 2 / 4),
        ("", 0.0),
    ],
)
def test_slots_of_a_meaning_representation(answer: str, expected: float) -> None:
    assert one("slots", answer, "?") == pytest.approx(expected)


def test_a_no_wants_a_negation() -> None:
    for answer, expected in (
        ("It is not family friendly.", 1.0), ("It isn't a family place.", 1.0),
        ("Family friendly.", 0.0), ("Adults only.", 0.0),
    ):  # fmt: skip
        assert one("slots", answer, "?", text="familyFriendly[no]") == expected


def test_slots_of_triples_are_their_different_ends() -> None:
    text = 'Al_Bean | birthPlace | Wheeler,_Texas && Al_Bean | job (of) | "Test pilot"'
    found = [slot.value for slot in slots(Input(fields=(("input", text),)))]
    assert found == ["Al_Bean", "Wheeler,_Texas", '"Test pilot"']
    assert one("slots", "Al Bean, a test pilot.", "?", text=text) == pytest.approx(2 / 3)
    korean = "서울 | 나라 | 대한민국 && 서울 | 인구 | 9,400,000"
    assert one("slots", "서울은 대한민국의 도시로 9400000명이 산다", "?", text=korean) == 1.0


def test_slots_are_counted_over_all_rows_and_rows_without_any_count_nothing() -> None:
    metric = metric_of(Task("t", "generate"), "slots")
    rows = [("a[x], b[y], c[z]", "x y z"), ("a[x]", "none"), ("no slots", "here")]
    statistics = np.array([metric.statistics(example("?", text=t), Prediction(a)) for t, a in rows])
    assert score(metric, statistics) == pytest.approx(3 / 4)
    assert points(metric, statistics).mean() == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    ("answer", "is_json", "match"),
    [
        ('{"a": 1, "b": [true, null]}', 1.0, 1.0),
        (' {"b": [true, null], "a": 1.0}\n', 1.0, 1.0),
        ('{"a": true, "b": [true, null]}', 1.0, 0.0),
        ('{"a": 1, "b": [null, true]}', 1.0, 0.0),
        ('```json\n{"a": 1}\n```', 0.0, 0.0),
        ('{"a": NaN}', 0.0, 0.0),
        ("5", 0.0, 0.0),
        ("", 0.0, 0.0),
        ("[" * 100_000, 0.0, 0.0),
        ("[" * 600 + "]" * 600, 1.0, 0.0),
    ],
)
def test_json(answer: str, is_json: float, match: float) -> None:
    assert one("json", answer, "{}") == is_json
    assert one("json_match", answer, '{"a": 1, "b": [true, null]}') == match


def test_json_match_takes_any_reference_and_any_value() -> None:
    assert one("json_match", "5.0", "[]", "5") == 1.0
    assert one("json_match", "nonsense", "nonsense") == 0.0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7 + 5 = 12\n#### 12", "12"),
        ("#### 1,234,567.50", "1234567.5"),
        ("답은 1,200원입니다.", "1200"),
        ("정답: －３", "-3"),
        ("so it is 42.", "42"),
        ("-$5", "-5"),
        ("10-3", "3"),
        ("$.50", "0.5"),
        ("0.0 and -0", "0"),
        ("1, 2 and 3,4", "4"),
        ("007", "7"),
        ("#### 8\n\nQ: 9", "9"),
        ("none", None),
        ("", None),
        ("1.5e3", "1500"),
        ("about 2E-2 m", "0.02"),
        ("3 eggs", "3"),
        ("so 42 (see step 3)", "42"),
        ("so [1] it is (42)", "42"),
        ("1,234.5", "1234.5"),
        ("1.234,5", "1234.5"),
        ("1.234.567,25 €", "1234567.25"),
        ("Answer: 42. There were 3 steps.", "42"),
        ("The answer is 3 + 4 = 7, as in step 2", "7"),
        ("**Answer:** 12, because 3 x 4 is 12 and 5 is not", "12"),
        ("정답: 7, 3번 문제", "7"),
        ("답은 1,200원입니다. 3번 참고", "1200"),
        ("the answer is: unknown, but 5", "5"),
        (r"thus \boxed{17} by lemma 3", "17"),
        (r"\boxed{x} or 9", "9"),
        ("12 = 3 x 4. So he has 5", "5"),
        ("answer: 3\n#### 4", "4"),
    ],
)
def test_the_last_number(text: str, number: str | None) -> None:
    assert last_number(text) == number


def test_number_is_that_of_a_reference() -> None:
    assert one("number", "She has 3 + 4 = 7.0 apples", "3 + 4\n#### 7") == 1.0
    assert one("number", "사과는 모두 1,000개", "#### 999", "#### 1000") == 1.0
    assert one("number", "seven", "#### 7") == 0.0
    assert one("number", "", "none") == 0.0


# ------------------------------------------------------------------ sacrebleu

WORDS = ("the", "cat", "sat", "on", "a", "mat", ".", ",", "독수리는", "프랑스", "식당", "입니다")
texts = st.lists(st.sampled_from(WORDS)).map(" ".join)
corpora = st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=12)


@unhurried
@given(corpora)
@case([("the cat sat on a mat", "the cat sat on the mat", "a cat sat on a mat")])
@case([("독수리는 프랑스 식당 입니다 .", "독수리는 프랑스 식당 입니다 .", "프랑스 식당")])
def test_corpus_metrics_are_sacrebleus(rows: list[tuple[str, str, str]]) -> None:
    answers, firsts, seconds = (list(column) for column in zip(*rows, strict=True))
    for name, theirs in (("bleu", sacrebleu.corpus_bleu), ("chrf", sacrebleu.corpus_chrf)):
        metric = metric_of(Task("t", "generate"), name)
        statistics = np.array([metric.statistics(example(*r), Prediction(a)) for a, *r in rows])
        expected = theirs(answers, [firsts, seconds]).score / 100
        assert score(metric, statistics) == pytest.approx(expected, abs=1e-9)
        assert points(metric, statistics).mean() == pytest.approx(expected, abs=1e-9)


def test_rows_may_have_different_numbers_of_references() -> None:
    rows = [
        ("the cat sat on a mat", ("a cat sat on a mat", "the cat sat")),
        ("a b c d e", ("a b c d",)),
    ]
    answers = [answer for answer, _ in rows]
    references = [["a cat sat on a mat", "a b c d"], ["the cat sat", None]]
    metric = metric_of(Task("t", "generate"), "bleu")
    statistics = np.array([metric.statistics(example(*r), Prediction(a)) for a, r in rows])
    assert score(metric, statistics) == pytest.approx(
        sacrebleu.corpus_bleu(answers, references).score / 100, abs=1e-9
    )


def test_the_jackknife_finds_the_spread_that_a_bootstrap_finds() -> None:
    rng = np.random.default_rng(0)
    vocabulary = [f"w{i}" for i in range(30)]
    metric, statistics = metric_of(Task("t", "generate"), "bleu"), []
    for _ in range(150):
        said = rng.choice(vocabulary, 12).tolist()
        meant = [w if rng.random() < rng.choice([0.5, 0.95]) else "other" for w in said]
        statistics.append(metric.statistics(example(" ".join(meant)), Prediction(" ".join(said))))
    table = np.array(statistics)
    again = [score(metric, table[rng.integers(0, 150, 150)]) for _ in range(300)]
    spread = points(metric, table).std(ddof=1) / np.sqrt(150)
    assert spread == pytest.approx(np.std(again), rel=0.2)


# ------------------------------------------------------------------ properties

anything = st.text(st.sampled_from("ab 1,.-#{}[]|&독수리é\n"), max_size=30)


@unhurried
@given(st.sampled_from(WRITTEN), anything, st.lists(anything, min_size=1, max_size=3), anything)
def test_a_score_is_between_0_and_1_whatever_the_order_of_references(
    name: str, answer: str, targets: list[str], text: str
) -> None:
    found = one(name, answer, *targets, text=text)
    assert 0 <= found <= 1 + 1e-12
    assert one(name, answer, *targets[::-1], text=text) == pytest.approx(found)
    assert one(name, "", *targets, text=text) <= 1


@unhurried
@given(st.lists(st.sampled_from(["a", "bb", "독수리는", "3", "é"]), min_size=4).map(" ".join))
def test_the_reference_itself_is_right(text: str) -> None:
    for name in ("accuracy", "exact_match", "token_f1", "rouge_l", "bleu", "chrf"):
        assert one(name, text, "x", text) == pytest.approx(1.0), name


plain = st.none() | st.booleans() | st.integers() | st.text("ab독", max_size=3)
trees = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text("kq"), inner))


@unhurried
@given(trees)
def test_json_written_in_any_way_is_the_same(value: object) -> None:
    assert one("json_match", json.dumps(value, indent=2), json.dumps(value, sort_keys=True)) == 1


@unhurried
@given(
    st.integers(),
    st.sampled_from(
        [
            "{}",
            "#### {}",
            "{}원입니다",
            "so {:,} apples",
            "={}.",
            "answer: {} (step 3)",
            "\\\\boxed{{{}}} of 9",
            "the answer is 8 - 1 = {}. Step 9.",
            "{}e0",
        ]
    ),
)
def test_a_number_written_in_any_way_is_the_same(number: int, around: str) -> None:
    assert one("number", around.format(number), f"#### {number}") == 1


@unhurried
@given(anything)
def test_units_are_what_they_are_joined(text: str) -> None:
    assert units(" ".join(units(text))) == units(text)


# ------------------------------------------------------------------ what suits a task


def said(kind: str, metric: str, *also: str, rows: tuple[Example, ...] = ()) -> str:
    task = Task("t", kind, (Label("a"),), metric=metric)  # type: ignore[arg-type]
    return "\n".join(map(str, misfits(task, also, rows)))


def test_metrics_that_do_not_suit_are_all_named() -> None:
    found = said("generate", "rougel", "macro_f1", "number", "bleu", rows=(example("none"),))
    assert "did you mean 'rouge_l'" in found
    assert "'macro_f1' is not for tasks of kind generate" in found
    assert "0 of 1 rows have it" in found
    assert "bleu'" not in found
    assert "'bleu' is not for tasks of kind classify" in said("classify", "accuracy", "bleu")


def test_one_row_with_slots_is_enough_and_none_is_not() -> None:
    plain = example("y", text="x")
    assert said("generate", "slots", rows=(plain, example("y"))) == ""
    assert "0 of 1 rows have it" in said("generate", "slots", rows=(plain,))
    assert "name[The Eagle]" in said("generate", "slots", rows=(plain,))
