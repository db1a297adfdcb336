"""A folder whose one Python file answers without nshot: `standalone_answer.py`, on numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nshot.core.errors import Fault, InputError, RunFailed
from nshot.core.files import write_atomic
from nshot.core.serial import dumps, to_data
from nshot.core.types import Input, Prediction
from nshot.use.export import standalone_answer
from nshot.use.export.asking import SEVERAL

if TYPE_CHECKING:
    from nshot.models.base import Models
    from nshot.predictors.folder import Saved

PROGRAM, MODEL, ARRAYS = "answer.py", "model.json", "arrays.safetensors"
_HEADS = frozenset({"label_head", "number_head", "label_set_head", "ordinal_head"})
_FIXED = frozenset({"constant", "fixed_number", "fixed_labels"})
_TAKES = (
    "takes heads over counted n-grams, fixed answers, and prompts of a model behind an endpoint"
)


class Standalone:
    """The form ``standalone``: a program that is the same in every folder, and what it reads."""

    form = "standalone"
    programs = frozenset({PROGRAM})

    def why_not(self, saved: Saved) -> str | None:
        """What needs weights of a model needs that model's program."""
        from nshot.predictors.calibrated import unwrapped

        saved, _ = unwrapped(saved)
        takes = f"{self.form} {_TAKES}"
        if saved.kind in _FIXED:
            return None
        if saved.kind in _HEADS:
            source = saved.settings["source"]["source"]
            needs = f"features that need a model ({source}): {takes}"
            return None if source == "tfidf" else needs
        if saved.kind != "prompted":
            kind = SEVERAL.get(saved.kind, f"a predictor of kind {saved.kind}")
            return f"{kind}: {takes}"
        return _why_no_prompt(saved, takes)

    def write(self, saved: Saved, models: Models, into: Path) -> None:
        """The program, the settings as JSON, the arrays as they are."""
        from nshot.predictors import folder as predictor
        from nshot.predictors.calibrated import unwrapped

        saved, calibrations = unwrapped(saved)
        write_atomic(into / PROGRAM, _program())
        if saved.arrays:
            arrays = (saved.folder / predictor.ARRAYS).read_bytes()
            write_atomic(into / ARRAYS, arrays)
        settings = _prompt(saved) if saved.kind == "prompted" else _settings(saved)
        body = {
            "form": self.form,
            "kind": saved.kind,
            "task": to_data(saved.task),
            "settings": settings,
            "calibration": [
                {"temperature": one.temperature, "knots": one.knots}
                for one in calibrations
                if one.kind != "none"
            ],
        }
        write_atomic(into / MODEL, dumps(body))

    def answer(self, folder: Path, inputs: Sequence[Input]) -> list[Prediction]:
        """By the program, which is this package's copy: another text in the folder is not run."""
        if not (folder / PROGRAM).is_file() or not (folder / MODEL).is_file():
            do = f"nshot export DIR --to {self.form} --out FOLDER"
            raise InputError(Fault(f"no {PROGRAM} or no {MODEL}", do=do, where=str(folder)))
        if (folder / PROGRAM).read_bytes() != _program():
            problem, do = "it is not the program that nshot writes", "export again"
            raise InputError(Fault(problem, do=do, where=str(folder / PROGRAM)))
        try:
            answers = standalone_answer.Model(folder).predict([_row(one) for one in inputs])
        except RuntimeError as error:  # of an endpoint
            raise RunFailed(str(error)) from None
        return [Prediction(one["answer"], tuple(one["scores"])) for one in answers]


def _program() -> bytes:
    return Path(standalone_answer.__file__).read_bytes()


def _row(one: Input) -> dict[str, Any]:
    """An input as a line of the program's."""
    if one.turns:
        turns = [{"role": turn.role, "content": turn.text} for turn in one.turns]
        return {"messages": turns}
    return {"fields": one.fields}


def _settings(saved: Saved) -> dict[str, Any]:
    from nshot.predictors.features import NGRAMS

    settings = dict(saved.settings)
    if "source" in settings:
        ngrams = [(cut, *lengths) for cut, lengths in NGRAMS.items()]
        settings["source"] = {"terms": settings["source"]["terms"], "ngrams": ngrams}
    return settings


def _why_no_prompt(saved: Saved, takes: str) -> str | None:
    settings = saved.settings
    if settings["ref"]["engine"] != "openai":
        return f"a model of the engine {settings['ref']['engine']}: {takes}"
    if settings["retrieval"]:
        return f"demonstrations that an encoder looks up: {takes}"
    if saved.task.kind == "spans" or saved.task.kind == "multilabel" or saved.task.pictures:
        kind = "pictures" if saved.task.pictures else f"a task of kind {saved.task.kind}"
        return f"prompts for {kind}: {takes}"
    if settings.get("constrained"):
        return f"answers that a grammar constrains: {takes}"
    return None


def _prompt(saved: Saved) -> dict[str, Any]:
    """What the program needs to ask: the prompt's pieces, words for the labels, the endpoint."""
    from nshot.core.serial import from_data
    from nshot.core.types import Example
    from nshot.models.openai.chat_completions import STOPS, RemoteLanguageModel
    from nshot.models.openai.endpoint import model_and_address
    from nshot.predictors.folder import ref_from_json
    from nshot.prompts.parts import beside_the_request, instruction, label_words
    from nshot.prompts.render import label_answers, shown_answer, stops

    task, settings = saved.task, saved.settings
    ref = ref_from_json(settings["ref"], saved.folder)
    model, address = model_and_address(ref)
    demos = [from_data(Example, demo) for demo in settings["demos"]]
    longest = settings["max_tokens"]
    if task.has_labels:
        answers = label_answers(task, settings["format"])
        longest = max(RemoteLanguageModel(ref).count(answers)) + 2
    words = zip(task.label_names, label_words(task), strict=True) if task.has_labels else ()
    return {
        "model": model,
        "address": address,
        "format": settings["format"],
        "instruction": instruction(task),
        "beside": beside_the_request(task),
        "answer_name": task.answer_name,
        "labels": [list(pair) for pair in words],
        "max_tokens": longest,
        "stop": list(stops(task, settings["format"]))[:STOPS],
        "demos": [
            {
                "fields": demo.input.fields,
                "turns": [(turn.role, turn.text) for turn in demo.input.turns],
                "answer": shown_answer(task, demo),
            }
            for demo in demos
        ],
    }
