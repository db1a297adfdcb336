"""The plain script rounds as the file does: llama.cpp reads the same perplexity from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_plain_heads import _plain
from transformers import AutoTokenizer

from nshot.models import open_models
from nshot.models.base import LanguageModel
from nshot.models.catalog import resolve
from nshot.use.gguf import write
from tiny import tiny_llama

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")


def test_the_plain_script_loses_what_the_file_loses(tmp_path: Path) -> None:
    base = tiny_llama(tmp_path / "llama", width=64, context=256)
    text = "Review: a warm and funny film, and never dull\nSentiment: positive 123"
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    after = _plain("quantise.py", base, "4", tmp_path / "text.txt")
    write(str(base), "Q4_0", tmp_path / "out")
    ids = tuple(AutoTokenizer.from_pretrained(base)(text).input_ids)
    before, file = (
        perplexity(open_models().open(resolve(str(place), "lm")), ids)
        for place in (base, tmp_path / "out" / "model.gguf")
    )
    assert abs(np.log(after / before)) > 0.02, "four bits lose something"
    assert abs(np.log(file / after)) < 0.5 * abs(np.log(after / before))


def perplexity(lm: LanguageModel, ids: tuple[int, ...]) -> float:
    logits = lm.next_logits([ids], [range(len(ids) - 1)]).astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return float(np.exp(-logs[np.arange(len(logs)), ids[1:]].mean()))
