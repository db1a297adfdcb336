"""A text ends where it must: at the template's own end of turn, at stop strings, at its length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from nshot.core.types import Example, Input, ModelRef, Task, Turn
from nshot.models import open_models
from nshot.models.base import Completion, Decoding
from nshot.models.hf.generate import ends
from nshot.models.hf.tokens import end_of_turn
from nshot.training.data import answers

CHAT = (Turn("user", "who is there ?"),)


@dataclass(frozen=True)
class Family:
    """A chat template with its special tokens, the tokenizer's end token among them."""

    special: tuple[str, ...]
    eos: str
    closing: str
    template: str


def turns(opening: str, closing: str, prompt: str, role: str = "m['role']") -> str:
    return (
        "{% for m in messages %}"
        + opening.replace("ROLE", "{{ " + role + " }}")
        + "{{ m['content'] }}"
        + closing
        + "{% endfor %}{% if add_generation_prompt %}"
        + prompt
        + "{% endif %}"
    )


FAMILIES = {
    "ChatML": Family(
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "<|endoftext|>", "<|im_end|>",
        turns("<|im_start|>ROLE\n", "<|im_end|>\n", "<|im_start|>assistant\n"),
    ),
    "Llama 3": Family(
        ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
         "<|eot_id|>"), "<|end_of_text|>", "<|eot_id|>",
        "{{ '<|begin_of_text|>' }}" + turns(
            "<|start_header_id|>ROLE<|end_header_id|>\n\n", "<|eot_id|>",
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
    ),
    "Gemma": Family(
        ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"), "<eos>", "<end_of_turn>",
        "{{ '<bos>' }}" + turns(
            "<start_of_turn>ROLE\n", "<end_of_turn>\n", "<start_of_turn>model\n",
            "'model' if m['role'] == 'assistant' else m['role']",
        ),
    ),
    "Mistral": Family(
        ("<s>", "</s>", "[INST]", "[/INST]"), "</s>", "</s>",
        "{{ '<s>' }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }}"
        "[/INST]{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}",
    ),
    "Qwen 3": Family(
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"), "<|endoftext|>",
        "<|im_end|>",
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' %}"
        "<think>\n\n</think>\n\n{% endif %}{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}",
    ),
    "a line before the mark": Family(
        ("<eos>", "<|user|>", "<|assistant|>", "<|end|>"), "<eos>", "<|end|>",
        turns("<|ROLE|>\n", "\n<|end|>\n", "<|assistant|>\n"),
    ),
}  # fmt: skip


def words(family: Family) -> Any:
    """A tokenizer of bytes with the family's special tokens and template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(list(family.special))
    made = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=family.eos)
    made.chat_template = family.template
    return made


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


@pytest.fixture
def opened(family: Family, tmp_path: Path) -> Any:
    """A tiny Llama with the family's tokenizer, whose own settings know no end at all."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = words(family)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=512, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return open_models().open(ModelRef("hf", str(tmp_path)))


@contextmanager
def saying(lm: Any, tokens: Sequence[int], after: int) -> Iterator[None]:
    """The model says these tokens, one after another, behind a prompt of `after` tokens."""

    def instead(_: Any, __: Any, given: dict[str, Any], out: Any) -> Any:
        said = [tokens[min(int(at) - after + 1, len(tokens) - 1)]
                for at in given["position_ids"][:, -1]]  # fmt: skip
        out.logits = torch.nn.functional.one_hot(
            torch.tensor(said)[:, None], out.logits.shape[-1]
        ).float()
        return out

    with lm._base.answering(()) as live:
        hook = live.module.register_forward_hook(instead, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def written(lm: Any, prompt: Any, tokens: Sequence[int], how: Decoding) -> Completion:
    with saying(lm, tokens, lm.count([prompt])[0]):
        (one,) = lm.generate([prompt], how)
    return one


def coded(lm: Any, text: str) -> list[int]:
    return list(lm._base.tokenizer(text, add_special_tokens=False)["input_ids"])


def test_the_token_that_closes_a_turn_is_found(family: Family) -> None:
    tokenizer = words(family)
    assert end_of_turn(tokenizer) == tokenizer.convert_tokens_to_ids(family.closing)


def test_a_template_without_such_a_token_has_none(family: Family) -> None:
    tokenizer = words(family)
    tokenizer.chat_template = turns("ROLE: ", "\n", "assistant: ")
    assert end_of_turn(tokenizer) is None
    tokenizer.chat_template = "{{ raise_exception('no answers in this one') }}"
    assert end_of_turn(tokenizer) is None
    tokenizer.chat_template = None
    assert end_of_turn(tokenizer) is None


@pytest.mark.parametrize("prompt", ["plain text", CHAT])
def test_a_model_that_closes_its_turn_stops_there(opened: Any, family: Family, prompt: Any) -> None:
    said = [*coded(opened, "me ."), *coded(opened, family.closing), *coded(opened, "and I")]
    one = written(opened, prompt, said, Decoding(max_tokens=20))
    assert (one.text, one.finished, one.tokens_out) == ("me .", True, 4)


def test_it_also_stops_at_the_tokenizers_end_and_at_those_of_its_settings(
    opened: Any, family: Family
) -> None:
    other = coded(opened, "#")[0]
    opened._base.module.generation_config.eos_token_id = [other]
    for end in (coded(opened, family.eos)[0], other):
        one = written(opened, CHAT, [*coded(opened, "me"), end], Decoding(max_tokens=20))
        assert (one.text, one.finished) == ("me", True)
    tokenizer = opened._base.tokenizer
    closing = tokenizer.convert_tokens_to_ids(family.closing)
    assert ends(opened._base.module, tokenizer) == {other, tokenizer.eos_token_id, closing}


def test_what_is_trained_ends_where_generation_stops(opened: Any, family: Family) -> None:
    tokenizer = opened._base.tokenizer
    row = Example("1", Input(fields=(("text", "who ?"),)), ("me .",))
    for format, end in (("chat", family.closing), ("plain", family.eos)):
        rows, _ = answers.encode(Task("t", "generate"), format, [row], tokenizer, 512)
        assert rows[0].targets[-1] == tokenizer.convert_tokens_to_ids(end)
        assert rows[0].targets[-1] in ends(opened._base.module, tokenizer)
        assert tokenizer.decode(rows[0].targets[:-1]).strip() == "me ."
    # And in a chat it is the token that the template itself puts behind the answer.
    turns = (Turn("user", "who ?"), Turn("assistant", "me ."))
    text = tokenizer.apply_chat_template(
        [{"role": t.role, "content": t.text} for t in turns], tokenize=False
    )
    behind = coded(opened, text.rpartition("me .")[2])
    assert coded(opened, family.closing)[0] in behind


# ------------------------------------------------------------------ strings, lengths, marks

FEW = ["ChatML", "Mistral"]


@pytest.mark.parametrize("family", FEW, indirect=True)
@pytest.mark.parametrize("stop", ["끝.", "\n\n", "끝", ". \n"])
def test_a_stop_string_may_span_tokens_and_the_first_one_counts(opened: Any, stop: str) -> None:
    said = "이제 끝. \n\nand on and on 끝."
    tokens = coded(opened, said)
    one = written(opened, "x", tokens, Decoding(len(tokens), stop=("never", stop, "and on")))
    assert one.text == said[: said.index(stop)]
    assert one.finished
    through = len((one.text + stop).encode())
    assert one.tokens_out == through, "not one token more than the stop string needs"


@pytest.mark.parametrize("family", FEW, indirect=True)
def test_special_tokens_are_never_in_a_text(opened: Any, family: Family) -> None:
    opening = next(mark for mark in family.special if mark not in (family.eos, family.closing))
    said = [*coded(opened, "a"), *coded(opened, opening), *coded(opened, "b")]
    one = written(opened, "x", said, Decoding(max_tokens=3))
    assert (one.text, one.tokens_out, one.finished) == ("ab", 3, False)


@pytest.mark.parametrize("family", FEW, indirect=True)
def test_a_text_may_be_empty_and_its_length_is_kept(opened: Any, family: Family) -> None:
    empty = written(opened, CHAT, coded(opened, family.closing), Decoding(max_tokens=5))
    assert (empty.text, empty.finished, empty.tokens_out) == ("", True, 0)
    long = written(opened, CHAT, coded(opened, "no end"), Decoding(max_tokens=4))
    assert (long.text, long.finished, long.tokens_out) == ("no e", False, 4)
    none = written(opened, CHAT, coded(opened, "no end"), Decoding(max_tokens=0))
    assert (none.text, none.finished) == ("", False)
