"""The search of a prompt: what it may ask, what it finds, what it says, and that it goes on."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nshot.core.types import Example, Input, Label, ModelRef, Prompt, Scale, Shots, Task
from nshot.methods.contract import Brief, Rates
from nshot.methods.prompt.asking import LEDGER
from nshot.methods.prompt.prompt_search import PromptSearch
from nshot.methods.prompt.searching import LEAST, divided
from nshot.models import open_models
from nshot.models.base import AnswerScores, Completion, Decoding, LanguageModel, ModelFacts
from nshot.models.catalog import resolve
from nshot.models.fake.fake_engine import FakeModels
from nshot.models.wrap.around import Around, AroundModel
from nshot.predictors import load
from nshot.predictors.prompted import Prompted
from tiny import tiny_llama
from toys import REMOTE, SCORER, Bench, ask

FILMS = Task("films", "classify", (Label("bad"), Label("good")), answer_name="Label")
KOREAN = Task(
    "영화", "classify", (Label("부정"), Label("긍정")), answer_name="라벨",
    instruction="영화평의 감정을 판단하세요.",
)  # fmt: skip
WORDS = ["slow", "bright", "film", "cast", "plot", "느린", "밝은", "영화", "배우", "이야기"]


def rows(task: Task, count: int, prefix: str = "r") -> tuple[Example, ...]:
    """Texts that say nothing of their label but a sign that `Knowing` reads."""
    rng = random.Random(f"rows:{prefix}")
    return tuple(
        Example(
            f"{prefix}{i}", ask(f"{' '.join(rng.sample(WORDS, 4))} {prefix}{i} #{i % 2}"),
            (task.label_names[i % 2],),
        )
        for i in range(count)
    )  # fmt: skip


@dataclass(frozen=True)
class Recorded(Around):
    """The fakes, and all that they are asked."""

    prompts: list[str] = field(default_factory=list)
    right: str = ""
    """A text without which the model says one label to everything."""
    tokens: list[int] = field(default_factory=list)
    context: int = 4096

    def open(self, ref: ModelRef) -> LanguageModel:
        return Knowing(self.models.open(ref), self)


@dataclass(frozen=True)
class Knowing(AroundModel):
    """Reads the label off the row's sign where the prompt has the right words in it."""

    record: Recorded

    @property
    def facts(self) -> ModelFacts:
        return self.model.facts._replace(context=self.record.context)

    def logprobs(
        self, prompts: Sequence[Prompt], answers: Sequence[Sequence[str]], prefix: Any = None
    ) -> list[AnswerScores]:
        scores = []
        for prompt, some, plain in zip(
            prompts, answers, self.model.logprobs(prompts, answers), strict=True
        ):
            text = words_of(prompt)
            self.record.prompts.append(text)
            self.record.tokens.append(plain.tokens_in)
            sign = int(re.findall(r"#(\d)", text)[-1])
            knows = re.search(self.record.right, text)
            raw = np.full(len(some), -3.0)
            raw[sign if knows else 0] = -0.1
            scores.append(AnswerScores(raw, plain.tokens_in))
        return scores

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        done = self.model.generate(prompts, how)
        self.record.prompts.extend(map(words_of, prompts))
        self.record.tokens.extend(one.tokens_in + one.tokens_out for one in done)
        return done


def words_of(prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else "\n".join(turn.text for turn in prompt)


def bench(folder: Path, right: str = "", base: ModelRef = SCORER, seed: int = 0) -> Bench:
    models: Any = Recorded(FakeModels(), right=right)
    return Bench(folder, base=base, models=models, seed=seed)


def record(bench: Bench) -> Recorded:
    models: Any = bench.models
    assert isinstance(models, Recorded)
    return models


def searched(method: PromptSearch, task: Task, shots: Shots, bench: Bench) -> Prompted:
    predictor = method.adapt(task, shots, bench)
    assert isinstance(predictor, Prompted)
    return predictor


PLANTED = [
    (FILMS, "Sentence: "),
    (FILMS, "Category:"),
    (FILMS, "Answer with one of"),
    (KOREAN, "감정:"),
    (KOREAN, "영화평: "),
]


@pytest.mark.parametrize(("task", "right"), PLANTED)
def test_the_one_right_name_or_format_wins(task: Task, right: str, tmp_path: Path) -> None:
    here = bench(tmp_path, right)
    predictor = searched(
        PromptSearch(proposals=0, calibration="none"), task, Shots(rows(task, 96)), here
    )
    fresh = rows(task, 20, "fresh")
    answers = predictor.predict([row.input for row in fresh])
    assert [one.answer for one in answers] == [row.label for row in fresh]
    assert all(re.search(right, words_of(p)) for p in predictor.prompts([fresh[0].input]))
    scores = [one.score for one in here.attempts if not one.chosen]
    assert min(one for one in scores if one is not None) < 0.7, "and others were wrong"


@pytest.mark.parametrize(("task", "right"), [(FILMS, "slow"), (KOREAN, "느린")])
def test_examples_win_where_only_they_help(task: Task, right: str, tmp_path: Path) -> None:
    here = bench(tmp_path, rf"{right}(?s:.*)\n\n")
    predictor = searched(
        PromptSearch(proposals=0, format="plain", calibration="none"), task,
        Shots(rows(task, 96)), here,
    )  # fmt: skip
    assert predictor.demos
    assert predictor.format == "plain"


def test_the_sentence_gives_both_scores_and_every_candidate_is_reported(tmp_path: Path) -> None:
    here = bench(tmp_path, "Sentence: ")
    searched(PromptSearch(), FILMS, Shots(rows(FILMS, 80)), here)
    (note,) = here.notes
    pattern = (
        r"searched (\d+) prompts in ([\d,]+) of 100,000 tokens: best 100\.0 % on the \d+ rows that"
        r" chose it, 100\.0 % on 20 rows that chose nothing \(the task's own words: 50\.0 %\)"
    )
    match = re.fullmatch(pattern, note)
    assert match, note
    assert int(match[2].replace(",", "")) == sum(record(here).tokens)
    assert len(here.attempts) == int(match[1]) <= 32
    assert sum(one.chosen for one in here.attempts) == 1
    assert not (tmp_path / LEDGER).exists()


def test_optimism_is_taken_off_where_nothing_can_be_learned(tmp_path: Path) -> None:
    """Labels by coin: the best of many looks better than half, and half on rows that chose nothing.

    Of six seeds the mean of the second lies within two standard errors of a half: .5 / sqrt(180).
    """
    chose, nothing = [], []
    for seed in range(6):
        rng = random.Random(seed)
        noise = tuple(
            replace(row, targets=(rng.choice(FILMS.label_names),)) for row in rows(FILMS, 120)
        )
        here = Bench(tmp_path / str(seed), seed=seed)
        searched(PromptSearch(proposals=0, candidates=20), FILMS, Shots(noise), here)
        first, second = re.findall(r"([\d.]+) % on", here.notes[0])[:2]
        chose.append(float(first))
        nothing.append(float(second))
    assert np.mean(chose) > 55
    assert abs(float(np.mean(nothing)) - 50) < 7.5


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tokens=st.integers(1, 9000),
    count=st.integers(LEAST, 60),
    candidates=st.integers(2, 24),
    base=st.sampled_from([SCORER, REMOTE]),
    proposals=st.integers(0, 3),
)
def test_the_budget_is_never_passed(
    tokens: int,
    count: int,
    candidates: int,
    base: ModelRef,
    proposals: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    here = bench(tmp_path_factory.mktemp("budget"), "Text", base)
    method = PromptSearch(tokens=tokens, candidates=candidates, proposals=proposals)
    searched(method, FILMS, Shots(rows(FILMS, count)), here)
    assert sum(record(here).tokens) <= tokens
    assert len([one for one in here.attempts if one.score is not None]) <= candidates


def test_only_rows_of_the_pool_are_shown_and_none_shows_itself(tmp_path: Path) -> None:
    train = rows(FILMS, 80)
    here = bench(tmp_path)
    searched(PromptSearch(), FILMS, Shots(train), here)
    parts = divided(FILMS, Shots(train), 0)
    assert parts is not None
    pool = {row.id for row in parts.pool}
    for prompt in record(here).prompts:
        *shown, question = re.findall(r"(r\d+) #", prompt)
        assert question not in shown
        assert set(shown) <= pool, "rows that choose or confirm are never shown"
    ids = [{row.id for row in part} for part in (parts.choosing, parts.pool, parts.confirming)]
    assert [len(part) for part in ids] == [40, 20, 20]
    assert len(set.union(*ids)) == 80, "no row is in two parts"


def test_groups_stay_in_one_part() -> None:
    grouped = tuple(replace(row, group=f"g{i // 4}") for i, row in enumerate(rows(FILMS, 80)))
    parts = divided(FILMS, Shots(grouped), 3)
    assert parts is not None
    groups = [
        {row.group for row in part} for part in (parts.choosing, parts.pool, parts.confirming)
    ]
    assert sum(map(len, groups)) == len(set.union(*groups))


@pytest.mark.parametrize("task", [FILMS, KOREAN])
def test_the_same_seed_gives_the_same_folder_and_another_may_not(
    task: Task, tmp_path: Path
) -> None:
    saved = []
    for place, seed in (("a", 1), ("b", 1), ("c", 2)):
        here = bench(tmp_path / place, r"(slow|느린)(?s:.*)\n\n", seed=seed)
        predictor = searched(PromptSearch(format="plain"), task, Shots(rows(task, 64)), here)
        predictor.save(tmp_path / place / "folder")
        saved.append((tmp_path / place / "folder" / "nshot.json").read_bytes())
    assert saved[0] == saved[1] != saved[2]


class Killed(Exception):
    """Stands for the signal that ends a job."""


@pytest.mark.parametrize("at", [1, 30, 60])
def test_a_killed_search_goes_on_and_asks_nothing_twice(at: int, tmp_path: Path) -> None:
    whole = bench(tmp_path / "whole", "Sentence: ")
    method, shots = PromptSearch(), Shots(rows(FILMS, 80))
    expected = searched(method, FILMS, shots, whole)

    broken, calls = bench(tmp_path / "broken", "Sentence: "), 0

    def dies(done: int, total: int, what: str) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise Killed

    broken.progress = dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        method.adapt(FILMS, shots, broken)
    ledger = tmp_path / "broken" / LEDGER
    with ledger.open("a", encoding="utf-8") as file:
        file.write('["half a line')
    broken.progress = lambda done, total, what: None  # type: ignore[method-assign]
    again = searched(method, FILMS, shots, broken)
    assert again.prompts([ask("x #1")]) == expected.prompts([ask("x #1")])
    assert again.offsets == expected.offsets
    assert broken.attempts == whole.attempts
    assert broken.notes == whole.notes
    assert sum(record(broken).tokens) == sum(record(whole).tokens)


def test_a_ledger_of_other_rows_is_not_read(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text('of another search\n["key", {"answers": []}]\n')
    here, fresh = bench(tmp_path), bench(tmp_path / "fresh")
    for one in (here, fresh):
        searched(PromptSearch(proposals=0), FILMS, Shots(rows(FILMS, 40)), one)
    assert here.attempts == fresh.attempts


def test_too_few_rows_leave_the_tasks_own_words(tmp_path: Path) -> None:
    here = bench(tmp_path)
    predictor = searched(PromptSearch(), FILMS, Shots(rows(FILMS, LEAST - 1)), here)
    assert predictor.task == FILMS
    assert here.attempts == []
    assert here.notes == [f"nothing searched: fewer than {LEAST} labelled rows to choose on"]
    here = bench(tmp_path)
    searched(PromptSearch(tokens=5, proposals=0), FILMS, Shots(rows(FILMS, 40)), here)
    assert here.notes == ["nothing searched: 5 tokens are too few for one look"]


OTHERS = [
    Task("stars", "score", (Label("1"), Label("2")), answer_name="Rating", metric="kappa"),
    Task("prices", "number", scale=Scale(1.0, 1.0), metric="mae_skill", answer_name="Price"),
    Task("답", "generate", metric="exact_match", instruction="질문에 답하세요.", answer_name="답"),
    Task("topics", "multilabel", (Label("a"), Label("b")), metric="micro_f1"),
]


@pytest.mark.parametrize("task", OTHERS, ids=lambda task: task.kind)
@pytest.mark.parametrize("base", [SCORER, REMOTE])
def test_other_kinds_are_searched_saved_and_loaded(
    task: Task, base: ModelRef, tmp_path: Path
) -> None:
    names = task.label_names or ("1", "2")
    some = tuple(
        Example(f"k{i}", ask(f"{WORDS[i % 10]} {names[i % 2]} k{i}"), (names[i % 2],))
        for i in range(40)
    )
    here = Bench(tmp_path, base=base)
    predictor = PromptSearch().adapt(task, Shots(some), here)
    asked = [ask("slow 1 film"), ask("느린 2 영화")]
    predictor.save(tmp_path / "folder")
    assert load(tmp_path / "folder", FakeModels()).predict(asked) == predictor.predict(asked)
    assert here.notes[0].startswith("searched ")
    assert sum(one.chosen for one in here.attempts) == 1


def test_a_real_tokenizer_keeps_to_the_budget(tmp_path: Path) -> None:
    """A random Llama, whose tokenizer cuts texts into single bytes."""
    base = resolve(str(tiny_llama(tmp_path / "llama", context=512)), "lm")
    for tokens in (3000, 20000):
        here = Bench(tmp_path / str(tokens), base=base)
        here.models = Recorded(open_models(), right="Text")  # type: ignore[assignment]
        method = PromptSearch(tokens=tokens, candidates=6, proposals=1)
        searched(method, FILMS, Shots(rows(FILMS, 32)), here)
        assert 0 < sum(record(here).tokens) <= tokens


def test_prompts_that_do_not_fit_fall_and_say_so(tmp_path: Path) -> None:
    here = bench(tmp_path)
    models: Any = replace(record(here), context=40)
    here.models = models
    searched(PromptSearch(proposals=0), FILMS, Shots(rows(FILMS, 64)), here)
    fell = [one for one in here.attempts if one.score is None]
    reason = "with the longest input it does not fit into the model's context"
    assert {one.note for one in fell} == {reason}
    assert any(one.settings["demonstrations"] != "0" for one in fell)
    assert max(record(here).tokens) <= 40


def test_several_fields_keep_their_names(tmp_path: Path) -> None:
    pairs = tuple(
        replace(row, input=Input((("premise", row.input.text), ("hypothesis", row.id))))
        for row in rows(FILMS, 40)
    )
    predictor = searched(PromptSearch(proposals=0), FILMS, Shots(pairs), Bench(tmp_path))
    assert predictor.task.field_names == ()


def test_the_forecast_grows_with_the_rows_up_to_the_tokens() -> None:
    brief = Brief(
        task=FILMS, labelled=40, unlabelled=0, per_label=20, test=100, tokens=20.0, longest=40,
        base=SCORER, abilities=frozenset({"score", "generate"}), context=2048, layers=4,
        encoder=None, rates=Rates(300.0, 100.0, 3000.0),
    )  # fmt: skip
    method = PromptSearch()
    costs = [method.forecast(replace(brief, labelled=rows)) for rows in (40, 400, 4000)]
    assert costs[0].seconds < costs[1].seconds <= costs[2].seconds
    assert costs[0].tokens_in < costs[1].tokens_in <= method.tokens
    trial: Any = method.for_trial
    assert trial.forecast(brief).seconds < costs[0].seconds
    assert method.forecast(replace(brief, labelled=LEAST - 1)).tokens_in == 0
