"""``nshot align``: instruct, a reward model, a policy; each step's work kept, and what it changed.

DIR/
  store.sqlite  lock  jobs/  scratch/   what was done, by the digest of all it depends on
  data/align.json                       the rows, on their sides
  instruct/  reward/  second/  policy/  what each step delivers: `nshot predict DIR/policy FILE`
  align.json  report.html               what it changed

Killed and started again, the same command goes on where it was and ends with the same results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from nshot.bench.align_prepare import Prepared, prepare, request_of
from nshot.bench.execute.local import LocalProcesses
from nshot.bench.forecast import Budget
from nshot.bench.jobs.job import Job, context
from nshot.bench.plan import Known, Piece, Single, Work
from nshot.bench.schedule import Schedule
from nshot.bench.store import Store, locked, sweep
from nshot.board.alignment import Alignment, Change, Judgement, State, Step, Written
from nshot.board.events import Event, Message, Progress, Subscriber, ignore
from nshot.core.errors import Fault
from nshot.core.files import link, write_atomic, write_folder
from nshot.core.serial import dumps, from_data, to_data
from nshot.methods import TABLE
from nshot.methods.contract import Method
from nshot.methods.spec import spec, spec_hash
from nshot.models.catalog import needs_conversion
from nshot.report import align_page

RESULT, PAGE = "align.json", "report.html"
TITLES = {
    "instruct": "demonstrations imitated",
    "reward": "reward model",
    "second": "second reward model",
    "before": "answers before",
    "policy": "policy",
    "after": "answers after",
}
"""What a display calls the steps, in order."""
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "instruct": (),
    "reward": (),
    "second": (),
    "before": ("start", "policy", "instruct_job", "reward_job", "second_job"),
    "policy": ("start", "instruct_job", "reward_job"),
    "after": ("policy", "policy_job", "before_job", "reward_job", "second_job"),
}
"""What a step depends on beside its method."""
_OPTIONAL = ("second", "policy")
"""Steps whose failure is a result to be shown."""
_MARK = ".job"


@dataclass(frozen=True)
class _Piece(Single):
    """A step; what it came to is said in a few words."""

    step: str = ""

    def outcome(self, work: Work) -> str:
        """See `nshot.bench.plan.Piece`."""
        body = work.done[0].body
        if reason := body.get("reason"):
            return str(reason)
        if "judgement" in body:
            right = from_data(Judgement, body["judgement"]).accuracy
            ends = f"{100 * right.low:.0f}-{100 * right.high:.0f}"
            return f"right in {100 * right.value:.0f} % ({ends}) of new pairs"
        if "written" in body:
            written = from_data(Written, body["written"])
            return f"reward {written.reward.value:.2f}, {written.length:.0f} tokens"
        return "done"


@dataclass(frozen=True)
class _Steps:
    """The plan: one step after the other; a last look only where there is a policy."""

    pieces: Sequence[_Piece]

    def next(self, known: Known) -> Iterator[Piece]:
        """See `nshot.bench.plan.Plan`."""
        for piece in self.pieces:
            if piece.title not in known.states:
                if piece.step != "after" or self._has_policy(known):
                    yield piece
                return

    def _has_policy(self, known: Known) -> bool:
        policy = next(piece for piece in self.pieces if piece.step == "policy")
        outcome = known.of(policy.job)
        return outcome is not None and outcome.state == "ok" and not outcome.body["reason"]


@dataclass(frozen=True)
class _Telling:
    """Passes events on, and says of a policy under way what each update begins with."""

    on: Subscriber
    seen: list[str]

    def __call__(self, event: Event) -> None:
        """See `nshot.board.events.Subscriber`."""
        self.on(event)
        if not isinstance(event, Progress) or event.piece != TITLES["policy"]:
            return
        if event.what not in self.seen[-1:]:
            self.seen.append(event.what)
            self.on(Message(f"    step {event.done} of {event.total}: {event.what}"))


def carry_out(prepared: Prepared, on: Subscriber, command: str = "") -> Alignment:
    """Go through all steps; what they changed, which is written too.

    Raises `Locked` where another run writes to the same folder, `RunFailed` where the reward model
    learned nothing that a policy could follow.
    """
    root = prepared.root
    if needs_conversion(prepared.base):
        on(Message(f"{prepared.base.name} is converted, once on this machine: about a minute"))
    with locked(root) as lock:
        sweep(root)
        prepared.rows.write(root)
        fingerprint = prepared.rows.fingerprint
        executor = LocalProcesses(root, 1, lock=lock, fingerprint=fingerprint)
        try:
            known = Known(context(fingerprint, executor.hello().identity))
            run = _Run(prepared, known, command)
            telling = _Telling(on, [])
            budget = Budget(None)
            Schedule(known, run.store, executor, telling, budget, lambda piece: run.write()).do(
                _Steps(run.pieces)
            )
            return run.write()
        finally:
            executor.stop()


@dataclass(frozen=True)
class _Run:
    """The steps of a request, and what is known of them."""

    prepared: Prepared
    known: Known
    command: str

    @cached_property
    def store(self) -> Store:
        """Of the run folder."""
        return Store(self.prepared.root)

    @cached_property
    def pieces(self) -> list[_Piece]:
        """The steps in order. A job names those that it builds on."""
        methods, request = self.prepared.methods, self.prepared.request
        policy = methods["policy"]
        facts: dict[str, Any] = {"start": to_data(self.prepared.start), "policy": spec(policy)}
        steps = [
            step
            for step in TITLES
            if step in methods
            or step in ("before", "after")
            or (step == "second" and not request.single)
        ]
        pieces = []
        for place, step in enumerate(steps):
            method = methods.get("reward" if step == "second" else step)
            body: dict[str, Any] = {name: facts[name] for name in _NEEDS[step] if name in facts}
            if method is not None:
                body["method"] = spec(method)
            job = Job(
                "align",
                {"step": step, **body},
                draw=request.seed + (step == "second"),
                base=self.prepared.base,
                version=spec_hash(method or policy),
            )
            facts[f"{step}_job"] = job.name(self.known.context)
            optional = step in _OPTIONAL
            pieces.append(
                _Piece(TITLES[step], job, (place, len(steps)), optional=optional, step=step)
            )
        return pieces

    def write(self) -> Alignment:
        """All that is known so far: folders, ``align.json`` and the page."""
        root = self.prepared.root
        for piece in self.pieces:
            self._deliver(piece)
        made = self._alignment()
        write_atomic(root / RESULT, dumps(to_data(made), indent=1) + "\n")
        write_atomic(root / PAGE, align_page.render(made))
        return made

    def _deliver(self, piece: _Piece) -> None:
        """Put what a step has made where people look for it."""
        name, target = piece.job.name(self.known.context), self.prepared.root / piece.step
        outcome, source = self.known.of(piece.job), self.store.predictor_folder(name)
        if outcome is None or outcome.state != "ok" or not source.exists():
            return
        mark = target / _MARK
        if mark.exists() and mark.read_text(encoding="utf-8") == name:
            return

        def fill(folder: Path) -> None:
            for path in sorted(source.rglob("*")):
                copy = folder / path.relative_to(source)
                copy.mkdir() if path.is_dir() else link(path, copy)
            (folder / _MARK).write_text(name, encoding="utf-8")

        write_folder(target, fill)

    def _alignment(self) -> Alignment:
        prepared, request = self.prepared, self.prepared.request
        bodies: dict[str, Mapping[str, Any]] = {
            piece.step: outcome.body
            for piece in self.pieces
            if (outcome := self.known.of(piece.job)) is not None
        }

        def part(step: str, name: str, kind: type[Any]) -> Any:
            body = bodies.get(step, {})
            return from_data(kind, body[name]) if name in body else None

        return Alignment(
            name=prepared.root.name,
            command=self.command,
            model=prepared.base.name,
            policy=request.policy,
            seed=request.seed,
            steps=tuple(self._step(piece) for piece in self.pieces if "method" in piece.job.spec),
            prompts=tuple(bodies.get("before", {}).get("prompts", ())),
            notes=prepared.rows.notes,
            reward=part("reward", "judgement", Judgement),
            second=part("second", "judgement", Judgement),
            before=part("before", "written", Written),
            after=part("after", "written", Written),
            change=part("after", "change", Change),
        )

    def _step(self, piece: _Piece) -> Step:
        """A step that learns, as its job left it."""
        outcome, method = self.known.of(piece.job), TABLE.build(piece.job.spec["method"])
        if outcome is None:
            return Step(piece.step, method.name, "left_out", "not begun")
        body = outcome.body
        reason = body.get("reason") or outcome.reason
        state: State = "failed" if reason else "ok"
        rounds = {name: tuple(values) for name, values in body.get("rounds", {}).items()}
        return Step(
            piece.step,
            method.name,
            state,
            reason,
            body.get("rows", 0),
            body.get("seconds", 0.0),
            body.get("parameters", 0),
            tuple(body.get("notes", ())),
            tuple(body.get("losses", ())),
            rounds,
            _changed(method),
        )


def _changed(method: Method) -> dict[str, Any]:
    """The settings that are not as they are by default."""
    usual = {name: field.default for name, field in type(method).model_fields.items()}
    return {name: value for name, value in method.model_dump(mode="json").items()
            if name != "method" and value != usual[name]}  # fmt: skip


def align(
    source: str | Path,
    *,
    preferences: str | Path | None = None,
    demonstrations: str | Path | None = None,
    test: str | Path | None = None,
    policy: Literal["ppo", "grpo", "dpo", "kto"] | None = None,
    start: str | Path | None = None,
    model: str | Path | None = None,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    single: bool | None = None,
    seed: int | None = None,
    encoding: str | None = None,
    out: str | Path | None = None,
    on: Subscriber = ignore,
) -> Alignment:
    """What ``nshot align`` does, from Python: what the policy changed; its folder is OUT/policy.

    `AlignRequest` says what each argument is; one that is left out is as ``chat.yaml`` says, where
    `source` is such a file. `settings` are by method; `on` hears the run's events. Raises
    `InputError` with every fault of the request before anything is written, and `RunFailed` where
    the reward model learned nothing.
    """
    typed = {name: value for name, value in locals().items() if value is not None}
    del typed["on"], typed["source"]
    faults: list[Fault] = []
    request = request_of(source, typed, faults)
    return carry_out(prepare(request, faults), on, "nshot.align(...)")
