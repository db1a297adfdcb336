"""Every kind of predictor that asks a language model is audited by it, whatever stands around."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nshot.audit.carrying_out import carry_out
from nshot.audit.change.before_after import before, lead, prompted
from nshot.audit.change.trust import trust
from nshot.audit.contract import Subject
from nshot.audit.subject import of_folder, with_data
from nshot.audit.table import AUDITS, audits
from nshot.core.types import Delta, Example, Input, Label, ModelRef, Task
from nshot.models import open_models
from nshot.predictors import Predictor
from nshot.predictors.cascade import Cascade
from nshot.predictors.constant import Constant
from nshot.predictors.label_sets import AskedLabels
from nshot.predictors.pattern_vote import PatternVote
from nshot.predictors.prompted import Prompted
from nshot.predictors.ranker import Ranker
from nshot.predictors.rationale import Rationale
from nshot.predictors.sampled_vote import SampledVote
from nshot.prompts.rationales import Solution, wording_for

SCORER = ModelRef("fake", "scorer")
TASK = Task("mail", "classify", (Label("spam"), Label("ham")))
MODELS = open_models()


def rows(count: int) -> tuple[Example, ...]:
    """Half English, half Korean; the label stands in each text."""
    texts = (
        "my {label} request number {i} came late",
        "어제 보낸 {label} 신청서 {i} 번이 늦습니다",
    )
    labels = ("spam", "ham")
    return tuple(
        Example(
            f"r{i}",
            Input((("text", texts[i % 2].format(label=labels[i // 2 % 2], i=i)),)),
            (labels[i // 2 % 2],),
        )
        for i in range(count)
    )


def adapted(folder: Path, name: str = "one") -> ModelRef:
    """The fake with a delta on it, which is a folder and a name of its own."""
    place = folder / "deltas" / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "weights.json").write_text("{}")
    return replace(SCORER, deltas=(Delta("weights", str(place), name * 20),))


def plain(ref: ModelRef = SCORER, examples: int = 2) -> Prompted:
    return Prompted(TASK, MODELS, ref, demos=rows(4)[1 : 1 + examples])


def rationale(examples: int = 2) -> Rationale:
    solutions = tuple(Solution(row, "it says so") for row in rows(4)[:examples])
    return Rationale(plain(examples=0), wording_for(TASK), solutions, length=16)


def patterns(folder: Path, *names: str) -> PatternVote:
    other = replace(TASK, labels=(Label("junk"), Label("mail")))
    members = [plain(adapted(folder, name)) for name in names]
    return PatternVote(TASK, (*members, replace(members[0], task=other, demos=())))


def saved(predictor: Predictor, folder: Path) -> Subject:
    """It as an audit has it: saved, loaded, with rows of a file."""
    predictor.save(folder / "of it")
    lines = [
        json.dumps({"text": row.input.text, "label": row.label}, ensure_ascii=False)
        for row in rows(48)
    ]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return with_data(of_folder(folder / "of it", MODELS), folder / "rows.jsonl")


KINDS: dict[str, Callable[[Path], Predictor]] = {
    "prompted": lambda _: plain(),
    "rationale": lambda _: rationale(),
    "rationale without examples": lambda _: rationale(0),
    "sampled_vote": lambda _: SampledVote(plain(), samples=3),
    "sampled_vote of rationales": lambda _: SampledVote(rationale(), samples=2),
    "pattern_vote": lambda folder: patterns(folder, "one"),
    "pattern_vote of several models": lambda folder: patterns(folder, "one", "two"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_audit_looks_at_it_or_says_why_not(kind: str, tmp_path: Path) -> None:
    subject = saved(KINDS[kind](tmp_path), tmp_path)
    assert subject.ref is not None
    assert subject.ref.base == SCORER
    report = carry_out(subject, audits())
    results = {one.audit: one for one in report.results}
    assert list(results) == list(AUDITS)
    for name in ("data", "slices", "counterfactuals"):
        assert not results[name].reason, results[name].reason
        assert results[name].findings or results[name].sheets
    assert "--sets FOLDER" in results["sets"].reason
    assert "no run has measured" in results["calibration"].reason
    if kind == "rationale without examples":
        assert "asks a base as it is" in results["change"].reason
    else:
        assert any(one.about == "knowledge" for one in results["change"].findings)
        assert any(one.about == "calibration" for one in results["change"].findings)
    first = [note for note in report.notes if "the first one is looked at" in note]
    assert bool(first) == (kind == "pattern_vote of several models")


def test_the_model_of_patterns_has_its_own_deltas(tmp_path: Path) -> None:
    subject = saved(patterns(tmp_path, "one", "two"), tmp_path)
    assert subject.ref is not None
    (delta,) = subject.ref.deltas
    assert delta.sha256 == "one" * 20
    assert Path(delta.folder).is_relative_to(tmp_path / "of it")
    assert lead(subject) == "", "what was trained is in the weights"
    assert before(subject) is not None


def test_a_rationale_leads_with_its_examples_and_their_reasons() -> None:
    subject = Subject("mail", MODELS, TASK, rationale(), ref=SCORER)
    text = lead(subject)
    assert text.startswith("Text: my spam request number 0 came late\n")
    assert "it says so\nLabel: spam\n\n" in text
    assert "어제 보낸 spam 신청서 1 번이 늦습니다" in text
    assert text.count("it says so") == 2
    assert text.endswith("\n\n")
    voted = replace(subject, predictor=SampledVote(rationale(), samples=2))
    assert lead(voted) == text
    assert prompted(voted) == rationale().prompt


def test_a_rationale_is_held_against_the_prompt_without_one() -> None:
    """Brier scores of both, by hand from what each answers."""
    subject = Subject("mail", MODELS, TASK, rationale(), ref=SCORER, rows=rows(12))
    (brier, _) = trust(subject)
    for figure, predictor in ((brier.before, plain(examples=0)), (brier.after, rationale())):
        total = 0.0
        for row, one in zip(rows(12), predictor.predict([r.input for r in rows(12)]), strict=True):
            shares = [2.718281828459045**score for score in one.scores]
            right = [float(name == row.label) for name in TASK.label_names]
            total += sum((a - b) ** 2 for a, b in zip(shares, right, strict=True))
        assert figure.value == pytest.approx(total / 12)


def test_rankers_and_asked_labels_stand_on_their_model_and_a_cascade_on_none(
    tmp_path: Path,
) -> None:
    yes_no = Task("q", "classify", (Label("yes"), Label("no")))
    several = Task("tags", "multilabel", TASK.labels)
    Ranker(Task("best", "rank"), MODELS, SCORER).save(tmp_path / "ranker")
    AskedLabels(several, Prompted(yes_no, MODELS, SCORER), (0.5, 0.5)).save(tmp_path / "tags")
    Cascade(TASK, Constant(TASK, (0.9, 0.1)), plain(), 0.5).save(tmp_path / "cascade")
    assert of_folder(tmp_path / "ranker", MODELS).ref == SCORER
    assert of_folder(tmp_path / "tags", MODELS).ref == SCORER
    cascade = of_folder(tmp_path / "cascade", MODELS)
    assert cascade.ref is None
    (result,) = carry_out(cascade, audits(["change"])).results
    assert result.reason == "cascade has no language model that speaks for it"


def test_the_licence_of_the_rows_of_data_is_told(tmp_path: Path) -> None:
    subject = saved(plain(), tmp_path)
    assert not any("licence" in note for note in subject.notes)
    rows_of_nsmc = (tmp_path / "rows.jsonl").rename(tmp_path / "nsmc.jsonl")
    (note,) = [one for one in with_data(subject, rows_of_nsmc).notes if "licence" in one]
    assert note.endswith("called by NSMC: if its rows are, their licence is CC0 1.0")
