"""A language model, what was learned merged into it, as a GGUF file that is read back and asked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.core.files import RECORD, write_atomic, write_folder
from nshot.core.types import ModelRef
from nshot.models import open_models
from nshot.models.base import LendsCopy
from nshot.models.catalog import resolve
from nshot.models.embedded.gguf import tokenizer_of
from nshot.models.embedded.packages import EMBEDDED
from nshot.models.hf.merged import merged
from nshot.models.llamacpp.llamacpp_engine import FILE
from nshot.models.llamacpp.modelfile import modelfile
from nshot.models.llamacpp.write_encoder import write_encoder
from nshot.models.llamacpp.write_gguf import BITS, Bits, require_llama, write_gguf
from nshot.predictors.calibrated import unwrapped
from nshot.predictors.folder import read, ref_from_json
from nshot.use.ready import delivered

MODELFILE = "Modelfile"
EXACT = 0.01
"""How far a logit may be from the model's, of its largest one, where weights keep 16 bits."""
TEXTS = (
    "The river rose after three days of rain, and the bridge had to be closed to lorries.",
    "서울에서 부산까지 기차로 두 시간 반이 걸린다. 표는 미리 사는 편이 좋다.",
    "def area(radius):\n    return 3.14159 * radius ** 2\n\nprint(area(12))",
    "Order #48213: 2 x coffee 😀, 1 x naïve café crème - total 17,40 €.",
)
"""What is read before and after: English, Korean, code, numbers and emoji."""


@dataclass(frozen=True)
class Written:
    """What the file is, against the model it was made of, on `TEXTS`.

    `furthest`: the largest difference of a logit, as a share of the largest logit. `before` and
    `after` are perplexities, `same` of `tokens` places have the same likeliest next token.
    """

    bytes: int
    bytes_before: int
    furthest: float
    before: float
    after: float
    same: int
    tokens: int
    same_tokens: bool

    def faults(self, bits: Bits) -> list[str]:
        """What makes the file another model than it should be."""
        faults = []
        if not self.same_tokens:
            faults.append("its tokenizer cuts the check texts into other tokens")
        if bits == "F16" and self.furthest > EXACT:
            faults.append(f"a logit is {self.furthest:.1%} from the model's, of its largest one")
        if not math.isfinite(self.after):
            faults.append("its logits are no finite numbers")
        return faults


def write(name: str, bits: Bits, into: Path) -> Written:
    """Write ``model.gguf`` and a Modelfile for Ollama into the new folder `into`, and read it back.

    `name` is a model (embedded, a folder, a Hub id) or a folder that nshot delivered, whose
    adapter is merged into its base first: llama.cpp's own converter of adapters drops what is put
    on a tied output layer. Raises `InputError` for what no GGUF of the Llama family can hold.
    """
    if bits not in BITS:
        raise InputError(Fault(f"--bits {bits}", f"one of: {', '.join(BITS)}"))
    ref = model_of(name)
    require_llama(ref)
    module, tokenizer = merged(ref)
    title = Path(ref.name).name

    def fill(folder: Path) -> None:
        write_gguf(module, tokenizer, bits, folder / FILE, title)
        write_atomic(folder / MODELFILE, modelfile(tokenizer, FILE))

    write_folder(into, fill)
    return _compared(module, tokenizer, into)


@dataclass(frozen=True)
class WrittenEncoder:
    """A quantised encoder: the lowest `cosine` of its vectors of `TEXTS` with the model's own."""

    bytes: int
    bytes_before: int
    cosine: float


def is_encoder(name: str) -> bool:
    """Whether a word means a sentence encoder: embedded, or a sentence-transformers folder."""
    embedded = EMBEDDED.get(name)
    if embedded is not None:
        return embedded.role == "encoder"
    return (Path(name).expanduser() / "modules.json").is_file()


def write_vectors(name: str, bits: Bits, into: Path) -> WrittenEncoder:
    """Write a sentence encoder of the BERT family into the new folder `into`, and read it back.

    Raises `InputError` for another family, and for vectors that are no mean over tokens.
    """
    if bits not in BITS:
        raise InputError(Fault(f"--bits {bits}", f"one of: {', '.join(BITS)}"))
    encoder = open_models().encoder(resolve(name, "encoder"))
    if not isinstance(encoder, LendsCopy):
        raise InputError(Fault(f"{name} has no weights here", "an encoder on this disk"))
    module = encoder.lend().module
    write_folder(into, lambda folder: write_encoder(module, bits, folder))
    again = open_models().encoder(resolve(str(into), "encoder"))
    cosines = (encoder.encode(TEXTS) * again.encode(TEXTS)).sum(axis=1)
    size = (into / FILE).stat().st_size
    return WrittenEncoder(size, _bytes(module.parameters()), float(cosines.min()))


def model_of(name: str) -> ModelRef:
    """The language model that a word means, or that a delivered folder answers with."""
    folder = Path(name).expanduser()
    if not folder.is_dir() or (folder / "config.json").exists():
        return resolve(name, "lm")
    saved, _ = unwrapped(read(delivered(folder)))
    ref = saved.settings.get("ref")
    if saved.kind != "prompted" or not isinstance(ref, dict):
        problem = f"{name} answers with '{saved.kind}', not with a language model that writes"
        expected = f"a folder of a method that asks one, such as lora or instruct ({RECORD})"
        raise InputError(Fault(problem, expected, "nshot export DIR --to FORM for a head"))
    return ref_from_json(ref, saved.folder)


def _compared(module: Any, tokenizer: Any, folder: Path) -> Written:
    """The file, loaded afresh by another reader, beside the model."""
    import torch
    from transformers import AutoModelForCausalLM

    again = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=FILE, dtype=torch.float32, local_files_only=True
    ).eval()
    words = tokenizer_of(folder / FILE)
    read_as = [tokenizer(text, add_special_tokens=False).input_ids for text in TEXTS]
    furthest, losses, same, count = 0.0, [0.0, 0.0], 0, 0
    with torch.no_grad():
        for ids in read_as:
            tokens = torch.tensor([ids])
            one, other = (model(tokens).logits[0, :-1].double() for model in (module, again))
            furthest = max(furthest, float((one - other).abs().max() / one.abs().max()))
            same += int((one.argmax(-1) == other.argmax(-1)).sum())
            count += len(one)
            for place, logits in enumerate((one, other)):
                picked = logits.log_softmax(-1).gather(1, tokens[0, 1:, None])
                losses[place] -= float(picked.sum())
    again_as = [words(text, add_special_tokens=False).input_ids for text in TEXTS]
    return Written(
        bytes=(folder / FILE).stat().st_size,
        bytes_before=_bytes(module.parameters()),
        furthest=furthest,
        before=math.exp(losses[0] / count),
        after=math.exp(losses[1] / count),
        same=same,
        tokens=count,
        same_tokens=read_as == again_as,
    )


def _bytes(parameters: Iterable[Any]) -> int:
    return sum(4 * parameter.numel() for parameter in parameters)
