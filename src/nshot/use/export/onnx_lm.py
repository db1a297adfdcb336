"""A language model that is asked with a prompt, as an ONNX graph and a program that asks it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nshot.core import machine
from nshot.core.errors import Fault, InputError
from nshot.core.files import write_atomic
from nshot.core.serial import dumps
from nshot.core.types import Input, Prediction
from nshot.use.export.asking import FILE, Asking, read_asking, write_asking

if TYPE_CHECKING:
    from nshot.models.base import Models
    from nshot.predictors.folder import Saved

PROGRAM, ABOUT, TOKENIZER = "answer.py", "graph.json", "tokenizer.json"
_TURN = "\U000f0002{}\U000f0003"
_TURNS = re.compile("\U000f0002(\\d+)\U000f0003")


def is_language_model(folder: Path) -> bool:
    """Whether the folder holds what `write` wrote."""
    return (folder / FILE).is_file()


def write(saved: Saved, models: Models, into: Path) -> None:
    """Graph, weights in float32, tokenizer, the program, and how it asks.

    Raises `InputError` for a model that `onnx_lm_graph` does not write, one without a fast
    tokenizer, and a chat template that does more with a turn than put it between two texts.
    """
    from nshot.models.hf.merged import merged
    from nshot.use.export.onnx_lm_graph import write_graph

    ref = write_asking(saved, models, into, with_base=False)
    asking = read_asking(into, "onnx")
    module, tokenizer = merged(ref)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        problem = f"the tokenizer of {ref.name} has no file of its own"
        raise InputError(Fault(problem, "one of the package tokenizers"))
    frame, strips = _frame(tokenizer, asking)
    shape = write_graph(module, into)
    known = (tokenizer.bos_token_id, tokenizer.eos_token_id)
    body = {
        "form": "onnx",
        "heads": shape.heads,
        "width": shape.width,
        "context": int(module.config.max_position_embeddings),
        "bos": tokenizer.bos_token_id,
        "start": next((token for token in known if token is not None), 0),
        "ends": _ends(module, tokenizer),
        "frame": frame,
        "strips": strips,
    }
    write_atomic(into / ABOUT, dumps(body))
    write_atomic(into / TOKENIZER, _unpadded(backend))
    write_atomic(into / PROGRAM, _program())


def _unpadded(backend: Any) -> str:
    plain = type(backend).from_str(backend.to_str())
    plain.no_padding()
    plain.no_truncation()
    return str(plain.to_str())


def _ends(module: Any, tokenizer: Any) -> list[int]:
    """The tokens that end a text."""
    ends = module.generation_config.eos_token_id
    ends = tokenizer.eos_token_id if ends is None else ends
    return [ends] if isinstance(ends, int) else list(ends or ())


def _frame(tokenizer: Any, asking: Asking) -> tuple[list[str], bool]:
    """The texts before, between and behind the turns, and whether turns are stripped.

    None of a prompt that is no chat.
    """
    if not asking.is_chat:
        return [], False
    whole = _rendered(tokenizer, asking, [_TURN.format(i) for i in range(len(asking.parts))])
    frame, places = _TURNS.split(whole)[::2], _TURNS.findall(whole)
    texts = [f" {part.role} \n" for part in asking.parts]
    shown = _rendered(tokenizer, asking, texts)
    if list(map(int, places)) == list(range(len(asking.parts))):
        for strips in (False, True):
            turns = [text.strip() if strips else text for text in texts]
            if shown == frame[0] + "".join(map(str.__add__, turns, frame[1:])):
                return frame, strips
    raise InputError(
        Fault(
            "the model's chat template does more with a turn than put it between two texts",
            "a template that a program without Jinja can fill",
            "nshot export DIR --to merged --out FOLDER, which takes the template along",
        )
    )


def _rendered(tokenizer: Any, asking: Asking, texts: Sequence[str]) -> str:
    from jinja2 import TemplateError

    turns = [
        {"role": part.role, "content": text} for part, text in zip(asking.parts, texts, strict=True)
    ]
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except TemplateError as error:
        problem = f"the model's chat template does not take these turns: {error}"
        do = "adapt with --format plain, or use the folder as it is"
        raise InputError(Fault(problem, "a template for them", do)) from None
    return str(text)


def answer(folder: Path, inputs: Sequence[Input]) -> list[Prediction]:
    """By the program, which is this package's copy: another text in the folder is not run."""
    from nshot.use.export import onnx_answer

    if not (folder / PROGRAM).is_file() or (folder / PROGRAM).read_bytes() != _program():
        problem, do = "it is not the program that nshot writes", "export again"
        raise InputError(Fault(problem, do=do, where=str(folder / PROGRAM)))
    model = onnx_answer.Model(folder, machine.threads())
    try:
        answers = model.predict([{"fields": one.fields} for one in inputs])
    except ValueError as error:
        raise InputError(Fault(str(error), expected="every field of the task")) from None
    return [Prediction(one["answer"], tuple(one["scores"])) for one in answers]


def _program() -> bytes:
    return Path(__file__).with_name("onnx_answer.py").read_bytes()
