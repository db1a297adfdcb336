"""What is taught as a chat stops by itself, though the tokenizer's own end is another token."""

from __future__ import annotations

from pathlib import Path

import pytest
from lent import Lent

from nshot.core.types import Example, Input, ModelRef, Shots, Task
from nshot.methods.peft.lora import LoRA
from nshot.models.base import Decoding
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors.prompted import Prompted
from nshot.prompts.render import Format
from tiny import tiny_llama

TASK = Task("echo", "generate", answer_name="Answer", instruction="Say it.")
SHOTS = Shots(
    tuple(
        Example(f"g{i}", Input((("text", f"say {word}"),)), (f"the {word}",))
        for i, word in enumerate(["card", "film", "late", "warm"])
    )
)


@pytest.mark.parametrize("format", ["chat", "plain"])
def test_a_trained_answer_ends_by_itself(format: Format, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    folder = tiny_llama(tmp_path / "tiny")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.eos_token = "<|im_start|>"  # as <|endoftext|> is beside ChatML in a base model
    tokenizer.save_pretrained(folder)
    GenerationConfig(eos_token_id=0).save_pretrained(folder)
    models = HFModels()
    bench = Lent(models, ModelRef("hf", str(folder)), tmp_path)
    predictor = LoRA(learning_rate=0.02, epochs=60, batch_size=4, format=format).adapt(
        TASK, SHOTS, bench
    )
    assert isinstance(predictor, Prompted)
    prompts = predictor.prompts([shot.input for shot in SHOTS.labelled])
    told = models.open(predictor.ref).generate(prompts, Decoding(max_tokens=40))
    assert [one.text.strip() for one in told] == [shot.targets[0] for shot in SHOTS.labelled]
    assert all(one.finished for one in told)
