"""Writes docs/exports.md from the cases that the tests export: ``python docs/make_exports.py``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parent / "exports.md"
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "use"))

from export_cases import CASES, Place  # noqa: E402

from nshot.predictors.folder import read  # noqa: E402
from nshot.use.export import EXPORTS, export_of  # noqa: E402

HEAD = """\
# Exports

A delivered folder can leave nshot: `nshot export DIR --to FORM --out FOLDER` writes it, has the
form's own runtime answer the inputs that the folder was delivered with, in a new process, and ends
with exit code 3 and a line for each answer that is another. How to add a form:
[extend](extend/export.md).

Of a run, `nshot export RUN --to FORM` (into `RUN/export-FORM`, or `--out`) has both answer the test
rows, and the form's row joins the board and the page beside the row it was made of: its score on
the same rows, its time, its size on disk. It takes no part in the choice, and is there again when
the run goes on. A run whose winner learned from all rows has none left to measure it on: there the
inputs of `check.jsonl` are compared.

```sh
nshot export runs/tickets --to standalone --out plain    # Python and numpy alone
python plain/answer.py < new.jsonl > answers.jsonl
nshot export runs/tickets --to onnx --out graph          # pip install 'nshot[onnx]'
python graph/answer.py < new.jsonl > answers.jsonl       # of a language model
```

- **json-ngrams**: `ngrams.json`, terms and weights for a runtime of one's own.
- **merged**, **peft**: a language model as a folder that transformers loads, or an adapter that
  PEFT puts on its base ([how they are asked](extend/export.md)).
- **standalone**: `answer.py`, which is the same in every folder, with `model.json` and
  `arrays.safetensors`. It needs Python 3.10 and numpy, and reads a line of JSON an input. A prompt
  asks the endpoint that it was measured on (`NSHOT_ENDPOINT` names another), with the key of
  `NSHOT_API_KEY` or `OPENAI_API_KEY`.
- **onnx**, of a head: `model.onnx` (encoder, pooling, head in one graph; `input_ids` and
  `attention_mask` in, `scores` out), `tokenizer.json` for the package tokenizers, `head.json` with
  the labels, what stands before each text and how many tokens are read.
- **onnx**, of a language model: `model.onnx` with its weights in float32 in `model.onnx_data`,
  adapters merged; keys and values of the tokens before go in and come out
  ([names](extend/export.md#onnx-of-a-language-model)). `answer.py` needs numpy, onnxruntime and
  tokenizers, and chooses labels or writes texts as the folder does. Models of the families Llama,
  Mistral, Qwen2 and Qwen3 without a sliding window. Of the embedded language model (135 M
  parameters) the folder has 540 MB; writing it and comparing 8 answers took 21 seconds of processor
  time, and `answer.py` 750 MB of memory at its peak (measured once, beside other work).

ONNX is no faster than torch on the processor; it runs where torch does not.

## To a hub and back

```sh
export HF_TOKEN=hf_...                        # nothing else is looked at for a token
nshot push runs/tickets me/tickets            # private, unless --public
nshot pull me/tickets --out tickets           # or me/tickets@REVISION
```

`push` sends the delivered folder as it is, with its model card, if its files are those that were
saved. `check.jsonl` and demonstrations are rows of your data: a new repository is private unless
`--public` is given. `pull` refuses a repository without `nshot.json` or with any file that is not
safetensors, JSON, GGUF, a text or a picture, before it fetches one; then each file is compared with
the hash that the hub states, and with that in the folder's record. Where one differs nothing is
left. The base model of an adapter is not sent: it is named, as in the folder. Both verbs were
tested against a hub of our own on this machine, never against the Hugging Face Hub.

## Which predictor takes which form

This table is written by `python docs/make_exports.py` from the cases that `tests/use` exports and
compares, answer by answer.
"""


def page() -> str:
    """The whole page."""
    rows, takes = [], dict[str, str]()
    with tempfile.TemporaryDirectory() as place:
        for number, (name, save) in enumerate(CASES.items()):
            folder = Path(place) / str(number)
            save(Place(folder))
            saved = read(folder)
            cells = [_cell(form, export_of(form).why_not(saved), takes) for form in EXPORTS]
            rows.append(f"| {name} | {' | '.join(cells)} |")
    head = f"| predictor | {' | '.join(EXPORTS)} |\n|---{'|---' * len(EXPORTS)}|"
    return "\n".join([HEAD, head, *rows, "", *(f"- {one}." for one in takes.values())]) + "\n"


def _cell(form: str, reason: str | None, takes: dict[str, str]) -> str:
    """``works``, or why not; what the form takes instead is said under the table."""
    if reason is None:
        return "works"
    short, _, instead = reason.partition(f": {form} takes ")
    if instead:
        takes.setdefault(form, f"**{form}** takes {instead}")
    return "no" if short.startswith("a predictor of kind") else f"no: {short}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
