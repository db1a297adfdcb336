"""What an alignment changed, as one HTML page and as a few sentences for a terminal."""

from __future__ import annotations

from nshot.board.alignment import Alignment, Bounded, Change, Judgement, Written
from nshot.report import charts
from nshot.report.page import environment
from nshot.report.svg import writable
from nshot.report.views import round_panels

_COIN = 0.5
_ALIKE = 0.25
"""The share of prompts that are answered with one text, from which on it is said."""


def render(made: Alignment) -> str:
    """The page; a part that has nothing to show is left out."""
    policy = made.step("policy")
    context = {
        "made": made,
        "sentences": sentences(made),
        "curves": round_panels(policy.rounds if policy else {}),
        "bins": [
            charts.Bin(c.pairs, c.probability, c.right.value, c.right.low, c.right.high)
            for c in (made.reward.confidences if made.reward else ())
        ],
        "pairs": list(zip(made.prompts, *_columns(made), strict=True)) if made.before else [],
        "signed": signed,
        "percent": percent,
    }
    return writable(environment().get_template("align.html").render(context))


def _columns(made: Alignment) -> tuple[list[object], list[object]]:
    """The answers before and after, in the prompts' order; None where there is no policy."""
    count = len(made.prompts)
    before = list(made.before.answers) if made.before else [None] * count
    after = list(made.after.answers) if made.after else [None] * count
    return before, after  # type: ignore[return-value]  # lists of answers or of None


def sentences(made: Alignment) -> list[str]:
    """What came of it, the most important first."""
    failed = [step for step in made.steps if step.state == "failed"]
    lines = [f"{step.name} ({step.method}): {step.reason}" for step in failed]
    if made.change and made.before and made.after:
        lines = [*_change(made, made.before, made.after), *lines]
    if made.reward:
        lines.append(_judgement(made.reward))
    return lines


def _change(made: Alignment, before: Written, after: Written) -> list[str]:
    change = made.change
    assert change is not None
    rose = change.reward.low > 0
    head = "The policy's answers earn" if rose else "No gain is shown: the policy's answers earn"
    lines = [
        f"{head} {_ends(change.reward)} more than those before, by the reward model that it learned"
        f" from; {_wins(change.wins, len(after.answers))}."
    ]
    if change.second and change.second_wins:
        wins = _wins(change.second_wins, len(after.answers))
        other = f"A second reward model, of another seed, says {_ends(change.second)}; {wins}."
        lines.append(f"{other} {_second(change)}")
    lines.extend(_alike(before, after))
    pieces = f"{100 * after.distinct:.0f} %, {100 * before.distinct:.0f} % before"
    lines.append(
        f"Answers have {after.length:.0f} tokens on average, {before.length:.0f} before; the share"
        f" of three-word pieces that are different is {pieces}."
    )
    return lines


def _alike(before: Written, after: Written) -> list[str]:
    """Where many prompts have got one and the same answer: reward models may pay well for it."""
    (text, count), (_, was), prompts = after.commonest, before.commonest, len(after.answers)
    if count <= max(was, _ALIKE * prompts):
        return []
    return [
        f"But {count} of {prompts} prompts get the same answer, \u201c{text}\u201d, where {was} at"
        " most did before: whatever that earns, it is no answer to them. Read the answers before"
        " you use this policy."
    ]


def _ends(one: Bounded) -> str:
    return f"{signed(one.value)} ({signed(one.low)} to {signed(one.high)})"


def _wins(share: Bounded, prompts: int) -> str:
    return f"they win {percent(share)} of {prompts} new prompts"


def _second(change: Change) -> str:
    assert change.second is not None
    if change.is_hacked:
        return "The policy has learned to please the first one: its answers got worse."
    if change.second.low <= 0:
        return "It confirms no gain."
    both = change.reward.low > 0
    return "Both say that the answers got better." if both else "It is alone in this."


def _judgement(one: Judgement) -> str:
    length = "" if one.correlation is None else f", and goes with length at {one.correlation:+.2f}"
    coin = one.accuracy.low <= _COIN
    doubt = " That could be a coin's: more preferences, before a policy follows it." if coin else ""
    return (
        f"The reward model is right in {percent(one.accuracy)} of {one.pairs} new pairs; the longer"
        f" answer in {100 * one.longest.value:.0f} %{length}.{doubt}"
    )


def signed(value: float) -> str:
    """``+0.42``."""
    return f"{value:+.2f}"


def percent(share: Bounded) -> str:
    """``62 % (55-69)``."""
    return f"{100 * share.value:.0f} % ({100 * share.low:.0f}-{100 * share.high:.0f})"
