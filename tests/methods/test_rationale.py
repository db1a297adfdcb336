"""A rationale before the answer: how it is asked, which are kept, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Label, ModelRef, Prompt, Shots, Task
from nshot.methods.contract import Brief, Rates
from nshot.methods.prompt.rationale import Rationale, explained
from nshot.models.base import (
    AnswerScores,
    Completion,
    Decoding,
    LanguageModel,
    ModelFacts,
    Models,
    Served,
)
from nshot.predictors import load
from nshot.predictors.prompted import Prompted
from nshot.predictors.rationale import Rationale as Answering
from nshot.prompts.rationales import ENGLISH, KOREAN, Solution, asks_answer, asks_why, wording_for
from toys import SCORER, TASK, Bench, ask, shots

SUMS = Task("sums", "number", answer_name="Answer", field_names=(("text", "Question"),))
ROWS = tuple(
    Example(f"{a}+{b}", ask(f"{a} + {b} = ?"), (str(a + b),)) for a in (1, 2, 3) for b in (4, 5)
)


@dataclass
class Scripted(LanguageModel):
    """Writes what `write` makes of a prompt; likes the answer that it would write."""

    write: Callable[[str], str]
    can: frozenset[Any] = frozenset({"generate"})
    asks: list[tuple[str, Decoding]] = field(default_factory=list)

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts(SCORER, self.can, 4096)

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        return [len(str(prompt).split()) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        self.asks += [(str(prompt), how) for prompt in prompts]
        texts = [self.write(str(prompt)) for prompt in prompts]
        return [
            Completion(text, len(str(prompt).split()), len(text.split()), True)
            for prompt, text in zip(prompts, texts, strict=True)
        ]

    def logprobs(
        self, prompts: Sequence[Prompt], answers: Sequence[Sequence[str]], prefix: Any = None
    ) -> list[AnswerScores]:
        made = []
        for prompt, given in zip(prompts, answers, strict=True):
            liked = self.write(str(prompt))
            scores = np.array([0.0 if one.strip() == liked else -2.0 for one in given])
            made.append(AnswerScores(scores, len(str(prompt).split())))
        return made


@dataclass
class One(Models):
    model: Scripted

    def open(self, ref: ModelRef) -> LanguageModel:
        return self.model


def bench(model: Scripted, folder: Path) -> Any:
    return Bench(folder, models=One(model))  # type: ignore[arg-type]


def sums(prompt: str) -> str:
    """Adds, but believes a hint; goes wrong without one where a five is to be added."""
    question = prompt.split("\n\n")[-1]
    if not question.rstrip().endswith("Answer:"):
        if "Hint" in question:
            return "the hint says " + question.partition("answer is ")[2].partition(".")[0]
        a, _, b = question.removeprefix("Question: ").split()[:3]
        return f"{a} and {b} are {int(a) + int(b) + (b == '5')}"
    return question.partition("step by step.")[2].split("\n")[0].split()[-1]


def test_the_answer_is_read_behind_the_marker_after_the_rationale(tmp_path: Path) -> None:
    model = Scripted(sums)
    predictor = Rationale().adapt(SUMS, Shots(ROWS), bench(model, tmp_path))
    (answer,) = predictor.predict([ask("7 + 4 = ?")])
    (first, how), (second, _) = model.asks
    assert first == "Question: 7 + 4 = ?\nRationale: Let's think step by step."
    assert second == f"{first} 7 and 4 are 11\nAnswer:"
    assert how.stop == ("\nAnswer:", "\nQuestion:")
    assert how.max_tokens == 128
    assert answer.answer == "11"
    words = [len(text.split()) for text in (first, second)]
    assert (answer.tokens_in, answer.tokens_out) == (sum(words), 5 + 1)


def test_only_rationales_that_lead_to_the_right_answer_are_kept(tmp_path: Path) -> None:
    """Of six sums three are right at once; the hint leads the other three to theirs."""
    place = bench(Scripted(sums), tmp_path)
    predictor = Rationale(n=4).adapt(SUMS, Shots(ROWS), place)
    assert isinstance(predictor, Answering)
    assert len(predictor.solutions) == 4
    by_id = {one.example.id: one.rationale for one in predictor.solutions}
    assert all(("hint" in why) == id.endswith("5") for id, why in by_id.items())
    assert place.notes == [
        "6 of 9 rationales that the model wrote led to the right answer; 3 were thrown away"
    ]
    (answer,) = predictor.predict([ask("7 + 4 = ?")])
    assert answer.answer == "11"
    shown = place.models.model.asks[-1][0]
    assert shown.count("Rationale: Let's think step by step.") == 5
    assert "Hint" not in shown, "the answer was admitted to the model that explains, and to it only"


class Billed(Scripted):
    """Takes a cent for each text."""

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        made = super().generate(prompts, how)
        return [replace(one, served=Served(money=0.01)) for one in made]


def test_what_an_endpoint_writes_for_examples_is_on_the_bill(tmp_path: Path) -> None:
    """Nine rationales, and an answer behind each."""
    place = bench(Billed(sums), tmp_path)
    Rationale(n=4).adapt(SUMS, Shots(ROWS), place)
    assert place.money == pytest.approx(18 * 0.01)


def test_a_wrong_rationale_is_never_shown(tmp_path: Path) -> None:
    def stubborn(prompt: str) -> str:
        return sums(prompt.replace("Hint", "Aside"))

    bare = Answering(Prompted(SUMS, One(Scripted(stubborn)), SCORER), ENGLISH)
    made, thrown_away, _ = explained(bare, ROWS)
    assert [one.example.id for one in made] == ["1+4", "2+4", "3+4"]
    assert thrown_away == 6
    never = Scripted(lambda prompt: "99")
    with pytest.raises(CannotAdapt, match=r"none of 12 rationales .* rationale\.n=0"):
        Rationale(n=2).adapt(SUMS, Shots(ROWS), bench(never, tmp_path))


def test_labels_are_scored_behind_the_rationale(tmp_path: Path) -> None:
    task = Task("films", "classify", (Label("good"), Label("bad")), answer_name="Sentiment")

    def write(prompt: str) -> str:
        if prompt.endswith("Sentiment:"):
            return "good" if "praise" in prompt else "bad"
        return "it is praise" if "fine" in prompt else "it is blame"

    model = Scripted(write, frozenset({"generate", "score"}))
    predictor = Rationale().adapt(task, Shots(), bench(model, tmp_path))
    fine, dull = predictor.predict([ask("a fine film"), ask("a dull film")])
    assert (fine.answer, dull.answer) == ("good", "bad")
    np.testing.assert_allclose(np.exp(fine.scores), [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))])
    writes = Scripted(write)
    same = Rationale().adapt(task, Shots(), bench(writes, tmp_path)).predict([ask("a fine film")])
    assert (same[0].answer, same[0].scores) == ("good", ())


def test_a_korean_task_is_asked_in_korean_and_a_chat_in_turns() -> None:
    korean = replace(TASK, answer_name="의도", instruction="고객의 의도를 고르세요.")
    assert wording_for(korean) == KOREAN
    assert wording_for(TASK) == ENGLISH
    assert wording_for(korean, "천천히.").trigger == "천천히."
    solution = Solution(Example("1", ask("돈을 돌려 주세요"), ("환불",)), "돈을 원한다.")
    plain = asks_answer(
        korean, "plain", KOREAN, ask("환불 언제"), "환불을 묻는다.\n\n끝.", [solution]
    )
    assert plain == (
        "Query: 돈을 돌려 주세요\n풀이: 차근차근 생각해 봅시다. 돈을 원한다.\n의도: 환불\n\n"
        "Query: 환불 언제\n풀이: 차근차근 생각해 봅시다. 환불을 묻는다.\n끝.\n의도:"
    )
    chat = asks_why(korean, "chat", KOREAN, ask("환불 언제"), [solution], "환불")
    assert [turn.role for turn in chat] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert chat[-1].text == "환불 언제\n\n(귀띔: 의도의 값은 환불입니다.)\n차근차근 생각해 봅시다."
    behind = asks_answer(korean, "chat", KOREAN, ask("환불 언제"), "환불을 묻는다.")
    assert [turn.text for turn in behind[1:]] == [
        "환불 언제\n\n차근차근 생각해 봅시다.", "환불을 묻는다.", KOREAN.then.format(name="의도"),
    ]  # fmt: skip


def test_it_answers_the_same_when_it_is_loaded(tmp_path: Path) -> None:
    place = Bench(tmp_path)
    predictor = Rationale(n=2, calibration="batch").adapt(TASK, shots(), place)
    assert isinstance(predictor, Answering)
    assert len(predictor.prompt.offsets) == 3
    predictor.save(tmp_path / "saved")
    again = load(tmp_path / "saved", place.models)
    assert again == predictor
    asked = [ask("refund refund"), ask("환불 해 주세요")]
    assert again.predict(asked) == predictor.predict(asked)


def test_its_forecast_counts_every_token_of_a_rationale() -> None:
    brief = Brief(
        task=SUMS, labelled=60, unlabelled=0, per_label=0, test=100, tokens=20.0, longest=30,
        base=SCORER, abilities=frozenset({"generate"}), context=2048, layers=4, encoder=None,
        rates=Rates(1000.0, 100.0, 3000.0),
    )  # fmt: skip
    use = Rationale(length=50).use_forecast(brief)
    assert use.tokens_out == 100 * (50 + 4)
    assert use.tokens_in == 100 * (26 + 26 + 50)
    build = Rationale(n=4, length=50).forecast(brief)
    assert build.tokens_out == 2 * 12 * (50 + 4)
    assert "one labelled example" in str(Rationale(n=4).why_not(replace(brief, labelled=0)))
    short = replace(brief, context=100)
    assert "rationale.length=N" in str(Rationale().why_not(short))


def test_several_labels_are_explained_one_by_one(tmp_path: Path) -> None:
    sets = replace(TASK, kind="multilabel")
    predictor = Rationale().adapt(sets, shots(), Bench(tmp_path))
    answers = predictor.predict([ask("refund my order"), ask("환불 해 주세요")])
    assert all(len(one.scores) == 3 for one in answers)
    assert all(one.tokens_out > 0 for one in answers), "a rationale is written for each label"
