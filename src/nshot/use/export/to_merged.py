"""A language model with its adapter merged into its weights: a folder that transformers loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.core.types import Input, Prediction
from nshot.use.export.asking import TAKES, Runtime, read_asking, why_not_merged, write_asking

if TYPE_CHECKING:
    from nshot.models.base import Models
    from nshot.predictors.folder import Saved


class Merged:
    """The form ``merged``: configuration, weights, tokenizer, and how the model is asked."""

    form = "merged"

    def why_not(self, saved: Saved) -> str | None:
        """Only LoRA, IA3 and changed weights are sums and products of weights."""
        return why_not_merged(saved, f"{self.form} {TAKES}")

    def write(self, saved: Saved, models: Models, into: Path) -> None:
        """The whole model in float32."""
        from nshot.models.hf.merged import merged

        module, tokenizer = merged(write_asking(saved, models, into, with_base=False))
        module.save_pretrained(into)
        tokenizer.save_pretrained(into)

    def answer(self, folder: Path, inputs: Sequence[Input]) -> list[Prediction]:
        """From the folder, by transformers; `InputError` where it is none of this form."""
        asking = read_asking(folder, self.form)
        from transformers import AutoModelForCausalLM, AutoTokenizer

        module = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        runtime = Runtime(asking, module, tokenizer)
        return [runtime.answer(one) for one in inputs]
