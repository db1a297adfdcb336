"""The adapter alone: a folder that PEFT puts on the base it was trained on."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.core.types import Input, ModelRef, Prediction
from nshot.use.export.asking import TAKES, Runtime, model_of, read_asking, why_not, write_asking

if TYPE_CHECKING:
    from nshot.models.base import Models
    from nshot.predictors.folder import Saved


class PeftAdapter:
    """The form ``peft``: what ``save_pretrained`` writes, and how the model is asked.

    The base is not in the folder: ``asking.json`` names it.
    """

    form = "peft"

    def why_not(self, saved: Saved) -> str | None:
        """Only a folder with one adapter of PEFT's has one to give."""
        if reason := why_not(saved, f"{self.form} {TAKES}"):
            return reason
        ref = model_of(saved)
        kinds = [delta.kind for delta in ref.deltas]
        if kinds != ["peft"]:
            what = f"on the model are: {', '.join(kinds)}" if kinds else "the model has no adapter"
            return f"{what}; {self.form} takes one adapter of PEFT's, as lora delivers"
        if ref.quant:
            return "an adapter of a base in four bits, which would stand on the whole one"
        return None

    def write(self, saved: Saved, models: Models, into: Path) -> None:
        """The adapter's two files."""
        from nshot.models.hf.peft_folder import FILES

        (delta,) = write_asking(saved, models, into, with_base=True).deltas
        for name in FILES:
            shutil.copyfile(Path(delta.folder) / name, into / name)

    def answer(self, folder: Path, inputs: Sequence[Input]) -> list[Prediction]:
        """By PEFT, on the base; `InputError` where the folder is none of this form."""
        asking = read_asking(folder, self.form)
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from nshot.models.catalog import locate

        place = locate(ModelRef("hf", asking.base, asking.revision))
        base = AutoModelForCausalLM.from_pretrained(
            place, dtype=torch.float32, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=True)
        module = PeftModel.from_pretrained(base, str(folder)).eval()
        runtime = Runtime(asking, module, tokenizer)
        return [runtime.answer(one) for one in inputs]
