"""What adapting changed: a planted memory is seen, a clean model raises no alarm, parts by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nshot.audit.carrying_out import carry_out
from nshot.audit.change.audit import Change
from nshot.audit.change.before_after import InPrompt, after, before, lead
from nshot.audit.change.memorised import cuts, likeness, memorised
from nshot.audit.change.refusals import refusals, refuses, requests
from nshot.audit.change.trust import trust
from nshot.audit.contract import AuditResult, Subject
from nshot.audit.estimates import difference
from nshot.audit.sets.audit import KnownSets
from nshot.audit.subject import reference
from nshot.core.errors import InputError
from nshot.core.types import Delta, Example, Input, Label, ModelRef, Prompt, Task
from nshot.models import open_models
from nshot.models.base import Completion, Decoding, LanguageModel, Models
from nshot.models.fake.fake_engine import FakeLanguageModel
from nshot.predictors.constant import Constant
from nshot.predictors.prompted import Prompted

SCORER = ModelRef("fake", "scorer")
TUNED = replace(SCORER, deltas=(Delta("peft", "nowhere", "a" * 64),))
ABOUT = Task("mail", "classify", (Label("spam"), Label("ham")))
WRITTEN = Task("reply", "generate", metric="chrf")


def rows(count: int = 30) -> tuple[Example, ...]:
    """Texts of eight words, half of them Korean."""
    english = "row {} has a text of its own here"
    korean = "문장 {} 번은 여기에 나오는 아주 짧은 글"
    texts = [(korean if i % 2 else english).format(i) for i in range(count)]
    return tuple(
        Example(f"r{i}", Input((("text", text),)), ("spam" if i % 3 else "ham",))
        for i, text in enumerate(texts)
    )


class Remembers(FakeLanguageModel):
    """A model that knows some texts by heart: it writes what follows the end of a prompt."""

    def __init__(self, ref: ModelRef, texts: Sequence[str]) -> None:
        super().__init__(ref)
        self._texts = texts

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        return [Completion(self._rest(prompt), 1, 1, True) for prompt in prompts]

    def _rest(self, prompt: Prompt) -> str:
        for text in self._texts:
            half = " ".join(text.split()[: len(text.split()) // 2])
            if isinstance(prompt, str) and prompt.endswith(half):
                return text[len(half) :] + " and more"
        return "something else altogether"


class Both(Models):
    """The base knows nothing by heart; with a delta on it, `texts`."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._texts = texts

    def open(self, ref: ModelRef) -> LanguageModel:
        return Remembers(ref, self._texts if ref.deltas else ())


def subject(models: Models, ref: ModelRef = TUNED, **more: object) -> Subject:
    predictor = Prompted(ABOUT, models, ref)
    whole = Subject("mail", models, ABOUT, predictor, ref=ref, learned=rows(), rows=rows(40))
    return replace(whole, **more)  # type: ignore[arg-type]


def audited(one: Subject) -> AuditResult:
    (result,) = carry_out(one, [Change()]).results
    return result


def test_rows_known_by_heart_are_seen_and_named() -> None:
    known = [row.input.text for row in rows()[:12]]
    result = audited(subject(Both(known)))
    alarms = {one.sentence for one in result.alarms}
    assert "training rows continued exactly, after minus before" in alarms
    (figure,) = [one for one in result.findings if "exactly" in one.sentence]
    assert figure.value == pytest.approx(12 / 30)
    (names,) = [note for note in result.notes if note.startswith("rows continued")]
    assert all(row.id in names for row in rows()[:12])


def test_a_model_that_learned_nothing_by_heart_raises_no_alarm() -> None:
    result = audited(subject(Both()))
    assert not [one for one in result.alarms if one.about == "memorised"]
    assert len(result.findings) >= 8


def test_what_the_base_knows_too_is_no_change() -> None:
    """A poem that everybody knows was not memorised here."""

    class Known(Both):
        def open(self, ref: ModelRef) -> LanguageModel:
            return Remembers(ref, [row.input.text for row in rows()])

    one = subject(Known())
    model = one.models.open(SCORER)
    for pair in memorised(one, model, model):
        assert pair.after.value == 1.0
        assert difference(*pair).value == 0.0


def test_a_cut_is_half_of_the_words_behind_what_the_prompt_says() -> None:
    (cut,) = cuts(subject(Both(), learned=rows(1)))
    assert cut.given == "Text: row 0 has a"
    assert cut.rest == "text of its own here"
    written = Example("w", Input((("text", "say it"),)), ("하나 둘 셋 넷 다섯 여섯",))
    models = Both()
    of_texts = Subject("reply", models, WRITTEN, Prompted(WRITTEN, models, TUNED), ref=TUNED,
                       learned=(written,))  # fmt: skip
    (cut,) = cuts(of_texts)
    assert cut.given.endswith("Label: 하나 둘 셋")
    assert cut.rest == "넷 다섯 여섯"
    assert not cuts(replace(of_texts, learned=(replace(written, targets=("too short",)),)))


@pytest.mark.parametrize(("rest", "text", "least", "most"), [
    ("the end of it", " the  end of it, and then", 1.0, 1.0),
    ("the end of it all now", "the end of it all new", 0.9, 0.99),
    ("끝은 언제나 이렇다", "끝은 언제나 이렇다", 1.0, 1.0),
    ("the end of it", "quite other words", 0.0, 0.6),
])  # fmt: skip
def test_likeness(rest: str, text: str, least: float, most: float) -> None:
    assert least <= likeness(rest, text) <= most


@pytest.mark.parametrize("answer", [
    "I'm sorry, but I can't help with that.", "I cannot assist.", "As an AI, I do not do that.",
    "I won’t do this.", "죄송하지만 도와드릴 수 없습니다.", "그런 요청에는 답변하기 어렵습니다.",
])  # fmt: skip
def test_refusals_are_told_by_how_they_begin(answer: str) -> None:
    assert refuses(answer)


@pytest.mark.parametrize("answer", [
    "Press Ctrl and C.", "물론입니다. 먼저 창을 닫으세요.", "You can help him.",
    "Of course. " * 20 + "I cannot say more.",
])  # fmt: skip
def test_what_answers_is_no_refusal(answer: str) -> None:
    assert not refuses(answer)


def test_requests_are_thirty_of_both_kinds_and_languages() -> None:
    pairs = [(one.kind, one.language) for one in requests()]
    assert {pair: pairs.count(pair) for pair in pairs} == {
        ("harmful", "en"): 10, ("harmful", "ko"): 5,
        ("harmless", "en"): 10, ("harmless", "ko"): 5,
    }  # fmt: skip
    assert len({one.text for one in requests()}) == 30


class Says(FakeLanguageModel):
    def __init__(self, say: Callable[[str], str]) -> None:
        super().__init__(SCORER)
        self._say = say

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        return [Completion(self._say(prompt[-1].text), 1, 1, True) for prompt in prompts]  # type: ignore[union-attr]


def test_a_model_that_stopped_refusing_is_seen() -> None:
    harmful = {one.text for one in requests() if one.kind == "harmful"}
    careful = Says(lambda text: "죄송합니다" if text in harmful else "Of course.")
    one, other = refusals(careful, Says(lambda _: "Of course."))
    assert (one.before.value, one.after.value) == (1.0, 0.0)
    assert (other.before.value, other.after.value) == (0.0, 0.0)
    assert difference(*one).p < 0.001
    assert difference(*other).p == 1.0


def test_a_bare_model_has_nothing_to_be_compared_with() -> None:
    bare = Subject("fake:scorer", open_models(), ref=SCORER)
    assert "nothing was done" in audited(bare).reason
    assert before(replace(bare, against=replace(SCORER, name="scorer"))) is not None


def test_what_a_model_is_compared_with_is_a_model(tmp_path: Path) -> None:
    assert reference("fake:scorer").name == "scorer"
    Constant(ABOUT, (-0.1, -2.4)).save(tmp_path / "majority")
    with pytest.raises(InputError, match="asks no language model"):
        reference(str(tmp_path / "majority"))
    Prompted(ABOUT, open_models(), SCORER).save(tmp_path / "asked")
    assert reference(str(tmp_path / "asked")) == SCORER


def test_a_model_that_gives_no_scores_is_told_of_and_the_rest_goes_on() -> None:
    remote = Subject("far", open_models(), ref=ModelRef("fake", "remote"))
    results = carry_out(remote, [Change(), KnownSets()]).results
    assert all("no log-probabilities" in one.reason for one in results)


def test_a_prompt_is_asked_behind_its_examples() -> None:
    models = Both()
    asked = subject(models, SCORER, predictor=Prompted(ABOUT, models, SCORER, demos=rows(2)))
    assert lead(asked).startswith("Text: row 0 has a text of its own here\nLabel: ham\n\n")
    assert lead(asked).endswith("\n\n")
    assert isinstance(after(asked), InPrompt)
    assert before(asked) is not None
    assert lead(subject(models)) == "", "what an adapter changed is in the weights"


def test_trust_by_hand() -> None:
    """The change of the Brier score is that of the scores both give."""
    one = subject(open_models(), replace(TUNED, deltas=(Delta("peft", "x", "b" * 64),)))
    pairs = {pair.after.name: pair for pair in trust(one)}
    answers = one.answers(one.rows)
    chances = np.exp([given.scores for given in answers])
    truth = np.array([[row.label == name for name in ("spam", "ham")] for row in one.rows])
    assert pairs["Brier score"].after.value == pytest.approx(((chances - truth) ** 2).sum(1).mean())
    right = chances.argmax(1) == truth.argmax(1)
    assert pairs["surer than right"].after.value == pytest.approx((chances.max(1) - right).mean())


# ---------------------------------------------------------------- known sets in the frame


def pairs_file(folder: Path, count: int = 40) -> Path:
    lines = [
        {"id": str(i), "sent_more": f"문장 {i} 더", "sent_less": f"문장 {i} 덜",
         "bias_type": "age", "direction": "stereo"} for i in range(count)
    ]  # fmt: skip
    (folder / "crows_pairs").mkdir(parents=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "crows_pairs" / "test.jsonl").write_text(text)
    return folder


class Leans(FakeLanguageModel):
    """Prefers sentences that end in 더 where it was adapted."""

    def logprobs(self, prompts, answers, prefix=None):
        scores = super().logprobs(prompts, answers, prefix)
        adapted = bool(self.facts.ref.deltas)
        return [
            replace(one, logprobs=np.array([float(adapted and given[0].endswith("더")) - 5.0]))
            if len(given) == 1 else one
            for one, given in zip(scores, answers, strict=True)
        ]  # fmt: skip


class Leaning(Models):
    def open(self, ref: ModelRef) -> LanguageModel:
        return Leans(ref)


def test_a_leaning_that_adapting_brought_is_an_alarm(tmp_path: Path) -> None:
    one = Subject("mail", Leaning(), ref=TUNED, sets=pairs_file(tmp_path))
    (result,) = carry_out(one, [KnownSets()]).results
    alarms = {f.sentence: f for f in result.alarms}
    change = alarms["CrowS-Pairs: prefers the stereotype, after minus before"]
    assert change.value == 1.0
    assert any("not in the folder: stereoset" in note for note in result.notes)
    assert any("Good: 0.5" in note for note in result.notes)
    assert result.sheets[0].lines[0][:4] == ("crows_pairs", "prefers the stereotype", "all", 1.0)


def test_without_a_folder_of_sets_that_is_said(tmp_path: Path) -> None:
    one = Subject("mail", Leaning(), ref=TUNED)
    (result,) = carry_out(one, [KnownSets()]).results
    assert "--sets FOLDER" in result.reason
    (result,) = carry_out(replace(one, sets=tmp_path), [KnownSets()]).results
    assert "has no folder crows_pairs" in result.reason
    (tmp_path / "bbq").mkdir()
    (result,) = carry_out(replace(one, sets=tmp_path), [KnownSets()]).results
    assert "no such file" in result.reason


# ---------------------------------------------------------------- a model that learned for real


def test_a_small_model_that_overfits_is_caught_and_its_base_is_not(tmp_path: Path) -> None:
    """A random Llama with weights that were trained on ten texts until it writes them by heart."""
    import torch
    from safetensors.torch import save_file

    from nshot.models.hf.hf_engine import HFModels
    from tiny import tiny_llama

    texts = [
        f"{word} one two {i} four five"
        for i, word in enumerate(["가", "나", "다", "라", "마", "a", "b", "c", "d", "e"])
    ]
    models, ref = HFModels(), ModelRef("hf", str(tiny_llama(tmp_path / "tiny", width=64)))
    with models.lend(ref, free=["*"]) as lent:
        ids = [lent.tokenizer(text)["input_ids"] for text in texts]
        longest = max(map(len, ids))
        batch = torch.tensor([one + [1] * (longest - len(one)) for one in ids])
        weights = [p for p in lent.module.parameters() if p.requires_grad]
        steps = torch.optim.Adam(weights, lr=5e-3)
        for _ in range(120):
            steps.zero_grad()
            lent.module(batch, labels=batch).loss.backward()
            steps.step()
        trained = {
            n: p.detach().clone() for n, p in lent.module.named_parameters() if p.requires_grad
        }
        (tmp_path / "delta").mkdir()
        save_file(trained, tmp_path / "delta" / "weights.safetensors")
    tuned = replace(ref, deltas=(Delta("weights", str(tmp_path / "delta")),))
    learned = tuple(Example(f"r{i}", Input((("text", t),)), ("spam",)) for i, t in enumerate(texts))
    one = Subject("mail", models, ref=tuned, learned=learned)
    exactly, nearly = memorised(one, models.open(ref), models.open(tuned))
    assert exactly.before.value == nearly.before.value == 0.0
    assert exactly.after.value >= 0.8
    assert difference(*exactly).low > 0
