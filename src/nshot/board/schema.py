"""The files of a run, typed: leaderboard.json, points.json and details.json.

``docs/leaderboard.md`` is made of these models (``python docs/make_leaderboard.py``): the
description of a field is its line there. Scores are fractions of one, times seconds, sizes bytes;
None is "not measured", never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, Self, TypeAlias, TypeVar

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    PrivateAttr,
)

from nshot.board.decide import Column, Decision, Floats, Verdict, decide
from nshot.board.words import Scope, cost_of, frontier, give_up_of, reasons
from nshot.core.errors import Fault, InputError
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, from_data, read_json
from nshot.core.types import Form, Kind, Rung, Trains

SCHEMA: Literal[2] = 2
Status: TypeAlias = Literal["ok", "aside", "skipped", "failed"]
Preference: TypeAlias = Literal["balanced", "accuracy", "serving", "building", "memory", "money"]
Shots: TypeAlias = int | Literal["all"]
P = TypeVar("P", bound="Part")


class Part(BaseModel):
    """A part of a file: frozen. A reader passes over keys that it does not know."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    def dumps(self) -> str:
        """JSON as it is written to disk; raises `ValueError` for a number that is not finite."""
        return dumps(self.model_dump(mode="json", by_alias=True), indent=1)


class Wish(Part):
    """What a user wants of the decision. It chooses among what was measured; nothing is run."""

    prefer: Preference = Field("balanced", description="what cost means")
    give_up: FiniteFloat | None = Field(
        None, ge=0, description="score given up for less cost; null: as `prefer` implies"
    )
    training: bool = Field(True, description="may the pick train anything?")
    change_base: bool = Field(True, description="may it change the base model's own weights?")

    def allows(self, row: Row) -> bool:
        """May this row be the pick? What may not stays on the board and counts in the contest."""
        return (self.training or row.trains == "nothing") and (
            self.change_base or row.trains != "weights"
        )


# ------------------------------------------------------------------------------------ the board


class Estimate(Part):
    """A score with its 95 % interval."""

    score: FiniteFloat | None = Field(None, description="the score, or a difference of scores")
    low: FiniteFloat | None = Field(None, description="lower end of the 95 % interval")
    high: FiniteFloat | None = Field(None, description="upper end")


class JudgeCell(Estimate):
    """What a judge says of a row."""

    against: str | None = Field(None, description="the row it is compared with")
    reason: str | None = Field(None, description="why the judge has no say, where it has none")


class LabelNote(Part):
    """A label of the task."""

    name: str = Field(description="as it stands in the data")
    description: str | None = Field(None, description="how a prompt says it")


class Agreement(Part):
    """How often a judge takes the answer that people took."""

    share: FiniteFloat = Field(description="of the pairs, half a point for a tie")
    low: FiniteFloat = Field(description="lower end of its 95 % interval over groups of pairs")
    high: FiniteFloat = Field(description="upper end")
    pairs: int = Field(description="pairs of which people chose one")
    ties: int = Field(description="pairs on which the judge is undecided")
    admitted: bool = Field(description="whether it agrees with people above chance")
    reason: str = Field("", description="why not, where not")


class JudgeSummary(Part):
    """The judge of a run."""

    model: str = Field(description="its name")
    agreement: Agreement | None = Field(None, description="with people; null where not asked")
    reason: str | None = Field(None, description="why no row is judged, where none is")


class TaskSummary(Part):
    """The task and its rows."""

    name: str = Field(description="the task's name")
    kind: Kind = Field(description="`classify`, `score`, `generate` or `rank`")
    metric: str = Field(description="what `score` is")
    also: tuple[str, ...] = Field(
        (), description="the [metrics](metrics.md) that are shown beside it and do not decide"
    )
    judge: JudgeSummary | None = Field(None, description="null where none was named")
    labels: tuple[LabelNote, ...] = Field(
        (), description="labels, in the order of every score vector"
    )
    question: Literal[1, 2] = Field(
        2,
        description="1: what shall be delivered, everything fitted on all labelled rows; 2: how it"
        " goes with so many examples of each label (`--shots`)",
    )
    train: int = Field(description="labelled rows to learn from")
    refit: int | None = Field(
        None,
        description="of question 1 with `--refit-on-all`: rows that the delivered model is fitted"
        " on anew; null: the measured model is delivered",
    )
    test: int = Field(description="test rows; a row that was put aside answered fewer")
    mode: Literal["file", "holdout", "folds"] = Field(
        description="`file`: a test file of its own; `holdout`: rows held out; `folds`: repeated"
        " folds, every row answered by a model that did not see it"
    )
    shots: tuple[Shots, ...] = Field(
        description='sizes measured, examples of each label, or `"all"`; the board stands at the'
        " last"
    )
    fewest: int | None = Field(
        None, description="labelled rows of the rarest label; null where the answer is no label"
    )
    seeds: int = Field(
        description="draws of the shots, the most that a method has; of question 1 the repeats of"
        " the folds, else 1"
    )
    notes: tuple[str, ...] = Field(
        (),
        description="what was wrong in the input and repaired; what the judge's word is worth",
    )


class CurvePoint(Estimate):
    """A row's score at one size."""

    shots: Shots = Field(description='examples of each label, or `"all"`')
    rows: int | None = Field(
        None, description="of question 1: labelled rows that were learned from, of all labels"
    )


class LearningCurve(Part):
    """How the loss fell in a training by steps."""

    train: tuple[tuple[int, FiniteFloat], ...] = Field(
        description="`[step, loss]` in nats a taught token; means over some steps where there are"
        " more than 60"
    )
    validation: tuple[tuple[int, FiniteFloat], ...] = Field(
        (),
        description="the same for shots that nothing was learned from (see"
        " [instruct](methods/instruct.md)), at step 0 and after each epoch",
    )
    rounds: Mapping[str, tuple[FiniteFloat, ...]] = Field(
        default_factory=dict,
        description="of a policy (see [alignment](alignment.md)): `reward`, `kl` (nats an answer),"
        " `length` (tokens) and `repetition` of the answers sampled for each update",
    )


class TrialScore(Part):
    """How a contender did in its trial, on labelled rows, before any test row."""

    score: FiniteFloat = Field(
        description="its score, learned from a few labelled rows: to compare with other trials only"
    )
    rows: int = Field(
        description="labelled rows that it was asked: 64, or the first 16 or 32 of them, by which"
        " it was put aside already"
    )
    learned: int | None = Field(
        None,
        description="labelled rows that it learned from: a few of each label, or all others where"
        " the method trains nothing",
    )
    steps: int | None = Field(
        None, description="training steps of a short trial; null of one with all steps"
    )


class Trial(Part):
    """A setting that the search tried."""

    settings: Mapping[str, JsonValue] = Field(description="the settings")
    score: FiniteFloat | None = Field(description="on folds of the shots, never on test")
    chosen: bool = Field(False, description="whether it was taken")
    note: str = Field("", description="what happened")


class Proportion(Part):
    """A share or a mean with its 95 % interval, over whole groups of test rows."""

    value: FiniteFloat = Field(description="as measured on the test rows")
    low: FiniteFloat = Field(description="lower end of its 95 % interval")
    high: FiniteFloat = Field(description="upper end")


class ReliabilityBin(Part):
    """Test rows whose answers were about equally probable."""

    rows: int = Field(description="how many")
    probability: FiniteFloat = Field(description="mean probability of their answers")
    right: Proportion = Field(description="share that is right")


class Threshold(Part):
    """What is left answered where answers under a threshold are held back."""

    accuracy: FiniteFloat = Field(
        description="of the validation rows over the threshold, so many were right"
    )
    threshold: FiniteFloat = Field(
        description="the probability that an answer must have; chosen on validation rows, never on"
        " test (of folds, their mean)"
    )
    answered: Proportion = Field(description="share of the test rows over it")
    right: Proportion | None = Field(
        description="share of those that is right; null where none is over it"
    )


class BareProbabilities(Part):
    """How far probabilities came true before the temperature: the same answers, the same rows."""

    error: Proportion | None = Field(description="calibration error, as beside it")
    brier: Proportion = Field(description="Brier score, as beside it")


class CalibrationCell(Part):
    """How far a row's probabilities came true on the test rows, first draw."""

    kind: Literal["none", "temperature", "isotonic"] = Field(
        description="how its scores were calibrated before they were measured"
    )
    temperature: FiniteFloat = Field(
        description="by which log-probabilities were divided: over 1 they were too sure, under 1"
        " not sure enough (of folds, their mean)"
    )
    rows: int = Field(description="validation rows that it was fitted on")
    reason: str = Field("", description="why it is not calibrated, where it is not")
    error: Proportion | None = Field(
        description="calibration error: root mean square gap between the probability of an answer"
        " and how often such answers were right, less what chance alone puts there; null below 20"
        " rows"
    )
    brier: Proportion = Field(
        description="Brier score: mean sum over the labels of (probability - truth) squared, 0 to 2"
    )
    bare: BareProbabilities | None = Field(
        None,
        description="both as they were before the temperature; null where none was applied, or more"
        " than one",
    )
    bins: tuple[ReliabilityBin, ...] = Field(
        (), description="what the calibration error is made of"
    )
    thresholds: tuple[Threshold, ...] = Field(
        (), description="what abstaining would buy, the lowest accuracy first"
    )


class Doubt(Proportion):
    """A share of answers that something moved which should not move them, with the exact binomial
    interval."""

    rows: int = Field(description="answers looked at")


class WritingCell(Part):
    """How a language model wrote the answers to the test rows; equal prompts are asked once."""

    answers: int = Field(description="that were written")
    cut: int = Field(0, description="that `max_tokens` ended")
    closed: int = Field(
        0, description="that the grammar closed on the shortest way, as the tokens just sufficed"
    )
    refused: int = Field(0, description="that the endpoint refused")
    estimated: int = Field(0, description="whose tokens the endpoint did not count: guessed")
    retries: Mapping[str, int] = Field(
        default_factory=dict, description="attempts that failed, by their reason"
    )
    models: Mapping[str, int] = Field(
        default_factory=dict,
        description="answers by the name that the endpoint gave its model, where that is another"
        " than was asked for",
    )


class Latency(Part):
    """Seconds of an answer that was made elsewhere."""

    median: FiniteFloat = Field(description="half took no longer")
    p95: FiniteFloat = Field(description="19 of 20 took no longer")


class RelianceCell(Part):
    """What moves a row's answers that should not, first draw."""

    order: Doubt | None = Field(
        None,
        description="of a model that decides: the options came the other way round; null where they"
        " have no order",
    )
    wording: Doubt | None = Field(
        None,
        description="of a model that decides: the instruction and the labels' meanings came in"
        " other words that say the same",
    )
    injection: Doubt | None = Field(
        None,
        description="the text ended in a request to choose another label, which was then chosen",
    )
    repeat: Doubt | None = Field(
        None,
        description="of a model that decides: the same was asked again: another answer, or a"
        " probability moved by more than .01",
    )


class TaughtCell(Part):
    """A student beside a teacher that is asked elsewhere, on the first test rows, first draw."""

    agreement: Doubt = Field(description="answers that are the teacher's")
    teacher: Doubt = Field(description="answers of the teacher that are right")
    student: Doubt = Field(description="answers of the student that are right, on the same rows")
    mistakes: Doubt | None = Field(
        None, description="of the teacher's mistakes those that the student makes too; null: none"
    )


class PositiveCell(Part):
    """How well a row's probabilities part the positive test rows from the others, first draw."""

    label: str = Field(description="the positive label")
    rows: int = Field(description="test rows that have it")
    of: int = Field(description="test rows with probabilities")
    roc: tuple[tuple[FiniteFloat, FiniteFloat], ...] = Field(
        description="points of the ROC curve: (share of the other rows, share of the positive rows)"
        " at a threshold, thinned"
    )
    roc_area: FiniteFloat = Field(description="area under the whole ROC curve: half is chance")
    precision_recall: tuple[tuple[FiniteFloat, FiniteFloat], ...] = Field(
        description="points (recall, precision) at a threshold, thinned"
    )
    average_precision: FiniteFloat = Field(
        description="area under precision over recall; chance is the share of the positive rows"
    )


class Row(Part):
    """A contender as it was measured, or why it was not."""

    name: str = Field(
        description="the contender: its method, with the model where methods run on several"
        " (`lora @ smollm2-135m`); unique among the rows of form `trained`"
    )
    method: str = Field(description="its method (of `adapter:FOLDER`: `adapter`)")
    base: str | None = Field(
        None, description="the language model it stands on, where several take part; else null"
    )
    encoder: str | None = Field(
        None, description="the encoder it stands on, where several take part; else null"
    )
    rung: Rung = Field(
        description="family: `trivial`, `prompt`, `fewshot`, `peft`, `finetune`, `align`,"
        " `compress`, `compose`, `outside`"
    )
    trains: Trains = Field(
        "nothing",
        description="what learning changes: `nothing`; a `head` on frozen features; an `adapter`;"
        " the base model's own `weights`",
    )
    settings: Mapping[str, JsonValue] = Field(
        default_factory=dict,
        description="the settings it was measured with, those the search chose included",
    )
    status: Status = Field(
        description="`ok`; `aside`: put aside in the race before it had answered all test rows, or"
        " on fewer draws of the shots than others, its"
        " score (where it has one) is carried from the first of them to all, by how easy these were"
        " for the fast methods; `skipped`; `failed`"
    )
    reason: str | None = Field(None, description="why, where it is not `ok`")
    test_rows: int | None = Field(None, description="test rows that it answered")
    searched: bool = Field(
        True, description="whether its settings were chosen by a search (or none are open)"
    )
    chance: FiniteFloat | None = Field(
        None,
        description="of a row put aside in question 1, or not reached after its trial: the chance"
        " that it would have been the pick",
    )
    saved: str | None = Field(
        None,
        description="the folder that answered, in the run's folder; null where it was not kept",
    )
    left_seconds: FiniteFloat | None = Field(
        None,
        description="of a row put aside or not reached: forecast of what measuring it to the end"
        " would take; null where it could not be measured",
    )
    stopped: bool = Field(
        False, description="of a row put aside: whether it was the minutes that ended"
    )
    trial: TrialScore | None = Field(
        None, description="of question 1: how it did in its trial; null where it had none"
    )
    score: FiniteFloat | None = Field(None, description="mean over the draws, on the test rows")
    low: FiniteFloat | None = Field(
        None, description="lower end of the 95 % interval for other test rows and other draws"
    )
    high: FiniteFloat | None = Field(None, description="upper end")
    per_seed: tuple[FiniteFloat, ...] = Field((), description="the score of each draw")
    also: Mapping[str, Estimate] = Field(
        default_factory=dict,
        description='`{"bleu": {"score", "low", "high"}}` for each metric of `task.also`: mean over'
        " the draws and its interval; empty where nothing was measured, ends null for the winner"
        " as delivered",
    )
    judge: JudgeCell | None = Field(
        None,
        description="share of test inputs on which the [judge](metrics.md#a-model-as-judge)"
        " prefers this row's answer (first draw, half a point for a tie); null without a judge or a"
        " measurement, and for the winner as delivered. It decides nothing",
    )
    curve: tuple[CurvePoint, ...] = Field((), description="one point for each size")
    gain: Estimate | None = Field(
        None,
        description="of question 1: what all labelled rows brought against half of them, on the"
        " same test rows; null where that was not measured",
    )
    learning_curve: LearningCurve | None = Field(
        None, description="of a method trained by steps, its first draw; else null"
    )
    trials: tuple[Trial, ...] = Field((), description="what the search tried")
    train_score: FiniteFloat | None = Field(
        None,
        description="score on its own training examples; far above `score` is memory, not skill",
    )
    trained_params: int | None = Field(None, description="parameters trained")
    trained_share: FiniteFloat | None = Field(
        None,
        description="those over the language model's, a fraction; null where nothing of the"
        " language model is trained (a head on frozen features, a prompt)",
    )
    build_seconds: FiniteFloat | None = Field(
        None,
        description="one adaptation and the search before it, as if nothing had been cached"
        " (median of the draws)",
    )
    spent_seconds: FiniteFloat | None = Field(
        None, description="what this run really took for it, all draws"
    )
    forecast_seconds: FiniteFloat | None = Field(
        None, description="what was forecast before it ran"
    )
    build_peak_bytes: int | None = Field(None, description="peak memory while building")
    use_seconds_per_1000: FiniteFloat | None = Field(
        None, description="time to answer 1,000 inputs (median of the draws)"
    )
    tokens_per_request: FiniteFloat | None = Field(
        None, description="tokens its models read and write for an input, mean"
    )
    money_per_1000: FiniteFloat | None = Field(
        None,
        description="what 1,000 answers cost in money, in the currency of the prices that were"
        " given; null where nothing is paid, or no price is known",
    )
    build_money: FiniteFloat | None = Field(
        None,
        description="what building it pays, as if it were built alone: rows that a teacher answers,"
        " labelled rows that a cascade's parts answer, what a search of its settings or of prompts"
        " asks, rationales that examples show; null where nothing is paid",
    )
    spent_money: FiniteFloat | None = Field(
        None,
        description="what this run paid for it, labelled rows and tries included; what another row"
        " had paid before is not paid again, and not in it; null where nothing was",
    )
    disk_bytes: int | None = Field(None, description="size of the saved method")
    form: Form = Field(
        "trained",
        description="`trained`: in the contest. Any other (`deployed`, `merged`, `gguf:Q4_0`) is"
        " outside the choice",
    )
    parent: str | None = Field(None, description="for such a row, what it was made from")
    calibration: CalibrationCell | None = Field(
        None,
        description="how far its probabilities come true ([calibration](calibration.md)); null"
        " where its answers have none, and where nothing was measured",
    )
    positive: PositiveCell | None = Field(
        None,
        description="of two labels with a [positive one](data.md#yes-or-no) how well it is found;"
        " else null",
    )
    reliance: RelianceCell | None = Field(
        None,
        description="what moves its answers that should not: of a model that decides all of it, of"
        " a fast method a planted request; else null",
    )
    taught: TaughtCell | None = Field(
        None, description="of a student whose teacher is asked elsewhere: both on the same rows"
    )
    passed_on: Proportion | None = Field(
        None,
        description="of a cascade: share of the test rows that its dear part answered; else null",
    )
    writing: WritingCell | None = Field(
        None, description="how its test answers were written; null where none was, and all ended"
    )
    latency: Latency | None = Field(
        None,
        description="of answers that were made elsewhere: what one took; null where this machine"
        " answers",
    )
    beside: Mapping[str, FiniteFloat] = Field(
        default_factory=dict,
        description="scores of plain stand-ins by name, such as the k-NN vote of a prompt's own"
        " demonstrations",
    )
    notes: tuple[str, ...] = Field(
        (), description="what a reader of the score should know, such as texts that were cut"
    )

    @property
    def is_measured(self) -> bool:
        """Has it answered test rows, be it the first of them?"""
        return self.status == "ok" or (self.status == "aside" and self.score is not None)

    @property
    def is_left_out(self) -> bool:
        """Could it have been measured, had the minutes not ended or the run not stopped?"""
        return self.status == "skipped" and self.left_seconds is not None

    @property
    def in_contest(self) -> bool:
        """Takes part in the choice, measured or not."""
        return self.form == "trained"


class Advice(Part):
    """The decision and its words."""

    pick: str = Field(description="the row to take")
    reasons: tuple[str, ...] = Field(
        description="the sentences that say why and how sure, in reading order"
    )
    could_be_best: tuple[str, ...] = Field(
        description="rows that are not ruled out, the pick among them unless a wish excluded others"
    )
    verdict: Verdict = Field(description="`settled`, `leaning` or `cannot_tell`")
    corrected_score: FiniteFloat = Field(
        description="the pick's score on new inputs, lowered by what winning flatters"
    )
    corrected_low: FiniteFloat = Field(description="lower end of its 95 % interval")
    corrected_high: FiniteFloat = Field(description="upper end")
    optimism: FiniteFloat = Field(description="by how much it was lowered")
    confirmed: bool = Field(description="whether fresh draws of the pick went into it")
    more_test_labels: int | None = Field(
        description="about how many test rows in all would settle it; null where no number can be"
        " given"
    )
    more_draws_settle: bool = Field(description="whether more draws of the shots would")
    frontier: tuple[str, ...] = Field(
        description="rows that no cheaper one reaches in score, cost as wished"
    )
    wish: Wish = Field(description="the wish it was decided under")
    give_up: FiniteFloat = Field(description="how much score is given up for less cost")
    delta: FiniteFloat = Field(description="the difference that has to be ruled out to be settled")
    top: str = Field(description="the row with the highest measured score")
    settled_to: FiniteFloat | None = Field(
        description="how much better another could still be, at 19 in 20; null without another"
    )
    leaning_to: FiniteFloat | None = Field(None, description="the same at 3 in 4")
    mdd: FiniteFloat | None = Field(description="the smallest difference this board sees reliably")
    test_rows: int = Field(description="test rows that the decision counted")
    groups: int | None = Field(
        None, description="of how many groups they are; null where rows are not grouped"
    )
    draws: int = Field(description="draws of the pick that it counted")
    contenders: int = Field(
        description="contenders that ever saw the test rows, failed ones included"
    )
    look: int = Field(description="the how-manyth look at these test rows")
    alpha: FiniteFloat = Field(0.05, description="the error that this look allowed itself")
    versus_pick: Mapping[str, Estimate] = Field(
        description="for each row: its measured score minus the pick's, and the two ends of what"
        " it could be"
    )


class MatchStep(Part):
    """A model of one's own against a system that stands already, at one size."""

    rows: int = Field(description="labelled rows that it learned from")
    difference: FiniteFloat = Field(description="its mean score minus the system's, same test rows")
    low: FiniteFloat = Field(description="lower end of the one-sided 95 % interval")


class Match(Part):
    """From how many labelled rows on a model of one's own is not worse than what stands already."""

    own: str = Field(description="the row that learns")
    reference: str = Field(description="the row that does not: a decision model, recorded answers")
    margin: FiniteFloat = Field(description="by how much it may be worse")
    steps: tuple[MatchStep, ...] = Field(description="by labelled rows, the fewest first")
    enough: int | None = Field(
        description="the fewest labelled rows from which on every size is not worse by the margin,"
        " with 95 % confidence; null where that cannot be told"
    )


class DrawPoints(Part):
    """What a score is the mean of."""

    points: tuple[tuple[FiniteFloat, ...], ...] = Field(
        description="one list for each draw: a point for each test row, in the order of `ids`,"
        " whose mean is the score; of a row that was put aside the first of them; draws that are"
        " the same stand once"
    )

    @property
    def array(self) -> Floats:
        """(draws, test examples)."""
        return np.array(self.points, dtype=np.float64)


class RowPoints(DrawPoints):
    """The points of a row."""

    deterministic: bool = Field(
        False, description="whether neither shots nor seed change its answers"
    )
    fast: bool = Field(True, description="whether its method answers at once and so never races")
    searched: bool = Field(True, description="as in the row")
    folds: int = Field(0, description="folds that the points are out of; 0: of held-out rows")
    without: tuple[FiniteFloat, ...] | None = Field(
        None,
        description="of a metric that is no mean, where rows are of groups: the score without each"
        " group",
    )


class FreshPoints(DrawPoints):
    """The points of the pick on draws that it was not chosen on."""

    pick: str = Field(description="the row")


class Points(Part):
    """What a decision is made of, beside the board."""

    rows: Mapping[str, RowPoints] = Field(
        default_factory=dict, description="of each measured row of form `trained`, by name"
    )
    question: Literal[1, 2] = Field(
        2, description="1: all rows, as delivered; 2: so many examples of each label (`--shots`)"
    )
    ids: tuple[str, ...] = Field((), description="of the test rows, in the order of answering")
    groups: tuple[int, ...] | None = Field(
        None, description="the number of each test row's group; null without groups"
    )
    contenders: int = Field(0, description="contenders that were tried")
    look: int = Field(1, description="the how-manyth look at these test rows")
    fresh: FreshPoints | None = Field(
        None, description="the pick on fresh draws; null where it was not confirmed"
    )


class CostLine(Part):
    """What requests cost: `once + n * each`."""

    once: FiniteFloat = Field(description="to build it, its search included")
    each: FiniteFloat = Field(description="a request")


class Crossing(Part):
    """From how many requests on the own model costs less."""

    own: CostLine = Field(description="of the own model")
    other: CostLine = Field(description="of the other")
    requests: FiniteFloat | None = Field(
        description="where the two lines cross; 0: less from the first request on; null: never"
    )
    low: FiniteFloat | None = Field(description="the same by the draws that favour the own model")
    high: FiniteFloat | None = Field(description="by those that favour the other")


class BreakEven(Part):
    """A model that learned against a prompt, an endpoint or recorded answers, by their cost."""

    own: str = Field(description="the row that learned")
    other: str = Field(description="the row that is asked as it is")
    own_score: FiniteFloat | None = Field(description="its score: cheaper need not be as good")
    other_score: FiniteFloat | None = Field(description="the score of the other")
    seconds: Crossing = Field(description="in time")
    money: Crossing | None = Field(
        None, description="in money; null where the other costs none, or no price is known"
    )
    hour: FiniteFloat | None = Field(
        None, description="what an hour of this machine costs; null: its time is not in the money"
    )


class PriceCell(Part):
    """What a model behind an endpoint costs."""

    model: str = Field(description="its name and address")
    input: FiniteFloat = Field(description="of a million tokens read")
    output: FiniteFloat = Field(description="of a million tokens written")
    origin: str = Field(description="whose price it is, and of when")


class MoneyCell(Part):
    """What models behind endpoints cost a run, by their prices."""

    spent: FiniteFloat = Field(description="so far, by the tokens that the services counted")
    requests: int = Field(description="that were answered and billed")
    forecast: FiniteFloat = Field(
        description="what all requests come to, at most: each counts once, whoever asks; of written"
        " answers about, from the methods' forecasts"
    )
    limit: FiniteFloat | None = Field(None, description="`--money`; null without")
    currency: str = Field("", description='of all prices; "" where nobody says')
    prices: tuple[PriceCell, ...] = Field((), description="of each model, below")


class Board(Part):
    """What a run measured and what to take; `points` travel with it."""

    version: Literal[2] = Field(
        SCHEMA, alias="schema", description="2; a change of meaning raises it"
    )
    fingerprint: str = Field(
        description="hash of every train and test row: boards with the same one may be compared"
    )
    task: TaskSummary = Field(description="what was asked, below")
    rows: tuple[Row, ...] = Field(
        description="a row for each contender, in the order they were asked for; then the winner"
        " as delivered"
    )
    advice: Advice | None = Field(
        None, description="the decision, below; null only where nothing was measured"
    )
    matches: tuple[Match, ...] = Field(
        (), description="with `--margin`: own models against what stands already, below"
    )
    money: MoneyCell | None = Field(
        None, description="what was paid, below; null where no price is known"
    )
    hour: FiniteFloat | None = Field(
        None, description="what an hour of this machine costs, where a table of prices says"
    )
    break_even: tuple[BreakEven, ...] = Field(
        (),
        description="from how many requests on a model that learned is cheaper than a prompt or an"
        " endpoint, below",
    )
    _points: Points = PrivateAttr(default_factory=Points)

    @property
    def points(self) -> Points:
        """The points that the decision is made of."""
        return self._points

    @property
    def contest(self) -> tuple[Row, ...]:
        """The rows that take part in the choice, measured or not."""
        return tuple(row for row in self.rows if row.in_contest)

    @property
    def outside(self) -> tuple[Row, ...]:
        """The rows outside the choice: the winner as delivered, merged, exported."""
        return tuple(row for row in self.rows if not row.in_contest)

    def row(self, name: str) -> Row:
        """The row of the contest with this name. Raises `KeyError` without one."""
        return {row.name: row for row in self.contest}[name]

    def having(self, points: Points) -> Self:
        """The same board with these points."""
        board = self.model_copy()
        board._points = points
        return board

    def decide(self, wish: Wish) -> Advice:
        """The pick under a wish, how sure it is, and the sentences that say so.

        The one way from measurements to advice: ``compare`` and ``advise`` take it. Raises
        `InputError` where nothing was measured, or the wish leaves nothing to choose from.
        """
        if not self._points.rows and any(row.status == "ok" for row in self.contest):
            raise InputError(
                Fault(
                    "points.json is not there", "it beside leaderboard.json", "nshot compare TASK"
                )
            )
        columns = [
            Column(
                name,
                row.array,
                cost_of(self.row(name), wish.prefer, self.hour),
                deterministic=row.deterministic,
                allowed=wish.allows(self.row(name)),
                fast=row.fast,
                searched=row.searched,
                folds=row.folds,
                without=None if row.without is None else np.array(row.without),
            )
            for name, row in self._points.rows.items()
        ]
        give_up = give_up_of(wish.prefer) if wish.give_up is None else wish.give_up
        fresh, tried = self._points.fresh, self._points.contenders
        again = partial(
            decide,
            columns,
            question=self._points.question,
            groups=self._points.groups,
            give_up=give_up,
            tried=tried,
            look=self._points.look,
            left_out=len(self._left_out(wish)),
        )
        decision = again()
        if fresh and fresh.pick == decision.pick:
            decision = again(fresh=fresh.array)
        return self._advice(decision, columns, wish)

    def _advice(self, d: Decision, columns: Sequence[Column], wish: Wish) -> Advice:
        rows = {name: self.row(name) for name in d.mean}
        costs = {column.name: column.cost for column in columns}
        return Advice(
            pick=d.pick,
            reasons=reasons(d, columns, rows, wish.prefer, self._scope(wish)),
            could_be_best=d.could_be_best,
            verdict=d.verdict,
            corrected_score=d.corrected_score,
            corrected_low=d.corrected_low,
            corrected_high=d.corrected_high,
            optimism=d.optimism,
            confirmed=d.confirmed,
            more_test_labels=d.outlook.rows,
            more_draws_settle=d.outlook.draws,
            frontier=frontier(d.mean, costs),
            wish=wish,
            give_up=d.give_up,
            delta=d.delta,
            top=d.top,
            settled_to=d.settled_to,
            leaning_to=d.leaning_to,
            mdd=d.mdd,
            test_rows=d.rows,
            groups=d.groups,
            draws=d.draws,
            contenders=d.contenders,
            look=d.look,
            alpha=d.alpha,
            versus_pick={
                n: Estimate(score=d.gap[n], low=d.gap_low[n], high=d.gap_high[n]) for n in d.gap
            },
        )

    def _left_out(self, wish: Wish) -> tuple[Row, ...]:
        """Rows a wish allows that were not reached, the one that promises most a second first."""
        left = [row for row in self.contest if row.is_left_out and wish.allows(row)]
        return tuple(sorted(left, key=lambda row: -(row.chance or 0) / (row.left_seconds or 1)))

    def _stopped(self, wish: Wish) -> tuple[Row, ...]:
        """Rows a wish allows that the minutes ended."""
        return tuple(row for row in self.contest if row.stopped and wish.allows(row))

    def _scope(self, wish: Wish) -> Scope:
        """What the scores of this board are of."""
        shots = self.task.shots[-1]
        return Scope(
            labelled=self.task.train,
            shots=None if shots == "all" else shots,
            missing=sum(row.status in ("skipped", "failed") for row in self.contest),
            aside={
                row.name: row.reason or ""
                for row in self.contest
                if row.status == "aside" and not row.is_measured
            },
            stopped=frozenset(row.name for row in self.contest if row.status == "aside"),
            metric=self.task.metric,
            fewest=self.task.fewest,
            refit=self.task.refit,
            left_out=self._left_out(wish),
            unfinished=self._stopped(wish),
            trials={row.name: row.trial for row in self.contest if row.is_measured and row.trial},
        )

    @classmethod
    def read(cls, folder: Path) -> Board:
        """The board of a run's folder, with its points where they are there: a page needs none.

        Raises `InputError` for files that are not there or broken, or of another schema.
        """
        board = read_part(cls, folder / "leaderboard.json")
        points = folder / "points.json"
        return board.having(read_part(Points, points)) if points.exists() else board

    def write(self, folder: Path) -> None:
        """Write points.json and leaderboard.json."""
        write_atomic(folder / "points.json", self._points.dumps())
        write_atomic(folder / "leaderboard.json", self.dumps())


# ---------------------------------------------------------------------------------- the details


class Machine(Part):
    """The computer of a run."""

    device: str = Field("", description="`cpu` or `cuda`")
    dtype: str = Field("", description="the type models are loaded in")
    threads: int | None = Field(None, description="cores used")
    processor: str = Field("", description="its name")
    memory_bytes: int | None = Field(None, description="of the computer")
    python: str = Field("", description="version")
    system: str = Field("", description="operating system")
    versions: Mapping[str, str] = Field(
        default_factory=dict, description="of nshot and the packages that compute"
    )


class Confusion(Part):
    """What was answered where a label was expected."""

    labels: tuple[str, ...] = Field(description="down: what was expected")
    answers: tuple[str, ...] = Field(
        description="across: what was answered; a last one for answers that are no label"
    )
    counts: tuple[tuple[int, ...], ...] = Field(description="test examples, a list for each label")


class LabelCounts(Part):
    """One label of a task whose rows may have several, over the test examples.

    Of kind spans each span counts, and is right where start, end and label are.
    """

    label: str = Field(description="its name")
    occurring: int = Field(description="test examples that have it, or spans")
    answered: int = Field(description="test examples, or spans, that it was answered for")
    right: int = Field(description="both")
    precision: float | None = Field(description="right / answered; null where never answered")
    recall: float | None = Field(description="right / occurring; null where it never occurs")
    f1: float | None = Field(
        description="2 right / (answered + occurring); null where it is in neither"
    )


class Lengths(Part):
    """What scores of given answers have to do with their lengths in characters."""

    correlation: FiniteFloat | None = Field(
        description="of score and length, each less its mean over the answers to the same input;"
        " null where one of them never differs"
    )
    chosen: FiniteFloat | None = Field(
        description="share of inputs whose longest answer was scored highest; null where no"
        " answers differ in length"
    )
    preferred: FiniteFloat | None = Field(
        description="share of inputs whose longest answer is graded highest"
    )


class Mistake(Part):
    """An answer that is not right, or a written one short of the full score."""

    id: str = Field(description="of the test row")
    text: str = Field(description="the input")
    expected: str = Field(description="the label or the references; of answers, those graded best")
    answer: str = Field(description="what was answered")
    score: FiniteFloat | None = Field(None, description="the highest of its scores")
    point: FiniteFloat | None = Field(
        None, description="what the metric gives a written answer; else null"
    )


class Picture(Part):
    """A picture, small."""

    label: str = Field(description="its label")
    src: str = Field(description="a `data:` address that holds it; empty where it is gone")


class AnswerPicture(Part):
    """A picture with its answer."""

    expected: str = Field(description="its label")
    answer: str = Field(description="what was answered")
    src: str = Field(description="as above")
    near: Picture | None = Field(None, description="the labelled picture that looks likest")


class Pictures(Part):
    """Pictures of the pick's first draw."""

    shots: tuple[Picture, ...] = Field((), description="what it learned from")
    wrong: tuple[AnswerPicture, ...] = Field((), description="its mistakes, the surest first")
    right: tuple[AnswerPicture, ...] = Field((), description="some of what it got right")


class RaceStep(Part):
    """A piece of the work of a run."""

    contender: str = Field(description="whose work it was")
    stage: Literal["trial", "search", "fit", "answer"] = Field(
        description="`trial`: a try on labelled rows; `search` of its settings; `fit`, with the"
        " answers to its first test rows; `answer`: further ones"
    )
    rows: int = Field(description="test rows that it had answered then")
    seconds: FiniteFloat = Field(description="what it took when it was done")
    started: FiniteFloat = Field(
        description="seconds of work before it, the steps one after the other in the order of the"
        " plan: several workers take less"
    )


class RaceRound(Part):
    """How it stood after a round of the race."""

    ended: FiniteFloat = Field(description="seconds of work until then")
    pick: str = Field(description="the row that would have been taken")
    verdict: Verdict = Field(description="how sure that was")


class Race(Part):
    """How a run went, recomputed from what is stored: a resumed run tells the same."""

    steps: tuple[RaceStep, ...] = Field((), description="in the order of the plan")
    rounds: tuple[RaceRound, ...] = Field(
        (), description="where there are test rows; costs are those of a fixed machine"
    )


class Disagreement(Part):
    """An input on which rows that could be the best answer differently."""

    id: str = Field(description="of the row")
    input: str | Mapping[str, str] = Field(description="its text; of several fields each by name")
    answers: Mapping[str, str] = Field(description="what each row answered, by its name")
    label: str | None = Field(None, description="the right answer where it is known")


class Disagreements(Part):
    """Where rows that could be the best differ."""

    compared: tuple[str, ...] = Field(description="the rows, by name")
    inputs: int = Field(description="test rows that two or more of them have answered")
    total: int = Field(description="test rows on which they differ")
    shown: tuple[Disagreement, ...] = Field(
        (), description="the most contested, first; all of them stand in disagreements.jsonl"
    )


class DeliveredFolder(Part):
    """The folder that is delivered."""

    anew: bool = Field(
        description="false: it is the folder whose answers were measured, its files linked; true:"
        " the pick was fitted anew for it"
    )
    files: Mapping[str, int] = Field(description="bytes of each file in it")


class Details(Part):
    """What the report shows of the pick, and what one needs to doubt the board."""

    machine: Machine = Field(default_factory=Machine, description="computer and versions")
    command: str = Field("", description="what was typed")
    models: Mapping[str, str | None] = Field(
        default_factory=dict, description="names by what they are for"
    )
    seeds: tuple[int, ...] = Field((), description="of the draws")
    fold_plan: str = Field("", description="how rows were held out")
    started: FiniteFloat | None = Field(None, description="seconds since 1970")
    finished: FiniteFloat | None = Field(None, description="seconds since 1970")
    elapsed_seconds: FiniteFloat | None = Field(None, description="from start to finish")
    race: Race | None = Field(None, description="how the run went")
    disagreements: Disagreements | None = Field(
        None, description="null where answers are written, and where fewer than two rows answered"
    )
    delivered: DeliveredFolder | None = Field(None, description="winner/, once it is there")
    confusion: Confusion | None = Field(
        None, description="of the pick's first draw; null where the answer is no label"
    )
    by_label: tuple[LabelCounts, ...] = Field(
        (), description="of the pick's first draw, where rows may have several labels or spans"
    )
    lengths: Lengths | None = Field(
        None, description="of the pick's first draw; null where no answers are given to choose from"
    )
    mistakes: tuple[Mistake, ...] = Field((), description="of the pick's first draw")
    pictures: Pictures | None = Field(None, description="of a task of pictures")

    @classmethod
    def read(cls, folder: Path) -> Details:
        """The details of a run's folder; empty ones where there are none."""
        path = folder / "details.json"
        return read_part(cls, path) if path.exists() else cls()

    def write(self, folder: Path) -> None:
        """Write details.json."""
        write_atomic(folder / "details.json", self.dumps())


def read_part(part: type[P], path: Path) -> P:
    """The file as the model. Raises `InputError` with all that is wrong with it."""
    if not path.exists():
        raise InputError(Fault(f"{path} is not there", "the folder of a run", "nshot compare TASK"))
    body = read_json(path)
    if not isinstance(body, dict):
        raise InputError(Fault("not a JSON object", "JSON as nshot wrote it", where=str(path)))
    if part is Board and body.get("schema") != SCHEMA:
        raise InputError(_other_schema(body.get("schema"), path))
    return from_data(part, body, str(path))


def _other_schema(schema: object, path: Path) -> Fault:
    """A board of another nshot, and what makes one that can be read."""
    newer = isinstance(schema, int) and schema > SCHEMA
    again = f"nshot compare {path.parent / 'nshot.yaml'} --out {path.parent}"
    return Fault(
        f"a board of schema {schema}, written by {'a newer' if newer else 'an older'} nshot",
        f"schema {SCHEMA}",
        "read it with the nshot that wrote it (pip install -U nshot)" if newer else again,
        str(path),
    )
