"""A GGUF file is the model it was made of: weights, tokens, what was learned; what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foreign import foreign
from full_disk import room
from nshot.cli.main import main
from nshot.core.errors import DiskFull, InputError
from nshot.core.types import Delta, Label, ModelRef, Task
from nshot.models import open_models
from nshot.models.embedded.gguf import cut_of, tokenizer_of
from nshot.models.llamacpp.write_gguf import BITS, write_gguf
from nshot.predictors.prompted import Prompted
from nshot.use.gguf import write
from tiny import tiny_llama

gguf = pytest.importorskip("gguf")

TASK = Task("films", "classify", (Label("good"), Label("bad")))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("gguf") / "tiny", width=64, context=256)


def opened(folder: Path, **where: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **where)
    return model.eval(), AutoTokenizer.from_pretrained(folder, **where)


def tensors(file: Path) -> dict[str, Any]:
    """What the package's own reader has of the file, as float32."""
    return {
        one.name: gguf.quants.dequantize(one.data, one.tensor_type)
        for one in gguf.GGUFReader(file).tensors
    }


@pytest.mark.parametrize("bits", BITS)
def test_a_weight_is_no_further_from_itself_than_half_a_step(
    bits: Any, base: Path, tmp_path: Path
) -> None:
    """A block's step is its largest weight / 127 (Q8_0), / 16 (Q5_0), / 8 (Q4_0)."""
    model, tokenizer = opened(base)
    write_gguf(model, tokenizer, bits, tmp_path / "m.gguf", "tiny")
    kept, weights = tensors(tmp_path / "m.gguf"), model.state_dict()
    assert "output.weight" not in kept, "a tied embedding stands there once"
    for name, ours, least in (
        ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight", bits),
        ("blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight", bits),
        ("token_embd.weight", "model.embed_tokens.weight", "F16" if bits == "F16" else "Q8_0"),
    ):
        known = weights[ours].numpy()
        blocks = np.abs(known.reshape(-1, 32)).max(axis=1, keepdims=True)
        # The scale itself is rounded to 16 bits; of 5 and 4 bits the side opposite to the largest
        # weight has one level fewer, so that a weight there is off by a whole step.
        steps = {"F16": 1e-3, "Q8_0": 0.57 / 127, "Q5_0": 1.02 / 16, "Q4_0": 1.02 / 8}[least]
        far = np.abs(kept[name].reshape(-1, 32) - known.reshape(-1, 32)) / blocks
        assert far.max() <= steps, name
        assert least == "F16" or far.max() > steps / 20, "it was quantised"
    norm = weights["model.norm.weight"].numpy()
    np.testing.assert_array_equal(kept["output_norm.weight"], norm)


def test_sixteen_bits_answer_as_the_model_and_read_the_same_tokens(
    base: Path, tmp_path: Path
) -> None:
    import torch

    one = write(str(base), "F16", tmp_path / "out")
    assert one.faults("F16") == []
    assert one.same_tokens
    assert one.furthest < 0.01
    model, tokenizer = opened(base)
    again, words = opened(tmp_path / "out", gguf_file="model.gguf")
    assert words.chat_template == tokenizer.chat_template
    for text in ("정말 좋다", "😀👍🏽", "x = [1, 22, 333]\n\tif y:", " a  b ", "<|im_end|>"):
        assert words(text).input_ids == tokenizer(text).input_ids
        tokens = torch.tensor([tokenizer(text).input_ids])
        with torch.no_grad():
            ours, theirs = model(tokens).logits, again(tokens).logits
        assert float((ours - theirs).abs().max()) < 0.01 * float(ours.abs().max())
    reader = gguf.GGUFReader(tmp_path / "out" / "model.gguf")
    assert reader.fields["tokenizer.ggml.pre"].contents() == "gpt-2"
    assert reader.fields["tokenizer.ggml.eos_token_id"].contents() == tokenizer.eos_token_id


def test_digits_are_cut_apart_where_the_file_has_them_so(base: Path, tmp_path: Path) -> None:
    from tokenizers.pre_tokenizers import Digits, Sequence

    model, tokenizer = opened(base)
    core = tokenizer.backend_tokenizer
    core.pre_tokenizer = Sequence([Digits(individual_digits=True), core.pre_tokenizer])
    write_gguf(model, tokenizer, "F16", tmp_path / "m.gguf", "tiny")
    again = tokenizer_of(tmp_path / "m.gguf")
    assert cut_of(tmp_path / "m.gguf") == "smollm"
    for text in ("1 2  3   4", "\n\n 7\n", "서울  12월\n3일", "½ ² Ⅷ"):
        assert again(text).input_ids == tokenizer(text).input_ids


def test_ollama_is_told_template_and_stop(base: Path, tmp_path: Path) -> None:
    write(str(base), "Q8_0", tmp_path / "out")
    text = (tmp_path / "out" / "Modelfile").read_text(encoding="utf-8")
    assert text.startswith("FROM ./model.gguf\nTEMPLATE ")
    assert "<|im_start|>user\n{{ .Prompt }}<|im_end|>" in text
    assert 'PARAMETER stop "<|im_end|>"' in text


def test_what_was_learned_is_merged(base: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    adapter = foreign(base, tmp_path)
    ref = ModelRef("hf", str(base), deltas=(Delta("peft", str(adapter)),))
    Prompted(TASK, open_models(), ref).save(tmp_path / "tuned")
    write(str(tmp_path / "tuned"), "F16", tmp_path / "out")
    kept = tensors(tmp_path / "out" / "model.gguf")["blk.1.ffn_down.weight"]
    bare = opened(base)[0]
    name = "model.layers.1.mlp.down_proj.weight"
    before = bare.state_dict()[name].numpy().copy()
    merged = PeftModel.from_pretrained(bare, str(adapter)).merge_and_unload().state_dict()[name]
    np.testing.assert_allclose(kept, merged.numpy(), atol=2e-3)
    assert np.abs(kept - before).max() > 0.1, "the file is not the bare base"


def test_other_families_and_what_llama_cpp_reads_otherwise_are_refused(
    base: Path, tmp_path: Path
) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    model, tokenizer = opened(base)
    config, narrow = model.config, tiny_llama(tmp_path / "narrow", width=48)
    with pytest.raises(InputError, match="rows of 48 weights"):
        write(str(narrow), "Q4_0", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    for name, value, message in (
        ("model_type", "gemma3", "the family gemma3"),
        ("hidden_act", "gelu", "the activation gelu"),
        ("attention_bias", True, "biases in attention"),
        ("rope_parameters", {"rope_type": "llama3", "rope_theta": 1e4}, "stretched by 'llama3'"),
    ):
        before = getattr(config, name)
        object.__setattr__(config, name, value)
        with pytest.raises(InputError, match=message):
            write_gguf(model, tokenizer, "F16", tmp_path / "x.gguf", "x")
        object.__setattr__(config, name, before)
    pieces = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.Unigram([("a", 0.0)])))
    with pytest.raises(InputError, match="a tokenizer of kind Unigram"):
        write_gguf(model, pieces, "F16", tmp_path / "x.gguf", "x")
    assert not (tmp_path / "x.gguf").exists()


def test_another_family_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "gpt2"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "gpt2"}', encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"cut short")
    with pytest.raises(InputError, match="the family gpt2"):
        write(str(folder), "Q8_0", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_leaves_no_half_of_a_file(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At any place: numpy says nothing of a lost end, which is seen by the size."""
    model, tokenizer = opened(base)
    path = tmp_path / "m.gguf"
    write_gguf(model, tokenizer, "Q8_0", path, "tiny")
    whole = path.read_bytes()
    for size in (len(whole) - 1, len(whole) - 200, len(whole) // 2, 1000):
        with pytest.raises(DiskFull, match="no room to write it"), room(size):
            write_gguf(model, tokenizer, "F16" if size < 2000 else "Q8_0", path, "tiny")
        assert path.read_bytes() == whole
    assert [one.name for one in tmp_path.iterdir()] == ["m.gguf"]
    with pytest.raises(SystemExit) as end, room(len(whole) // 2):
        main(["gguf", str(base), "--bits", "F16", "--out", str(tmp_path / "out")])
    assert end.value.code == 3
    assert "MB that are free" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["m.gguf"]


def test_a_head_is_no_language_model(tmp_path: Path) -> None:
    from nshot.predictors.constant import Constant

    Constant(TASK, (0.0, -1.0)).save(tmp_path / "head")
    with pytest.raises(InputError, match="answers with 'constant'"):
        write(str(tmp_path / "head"), "F16", tmp_path / "out")


def test_the_command_says_how_far_the_file_is_from_the_model(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["gguf", str(base), "--bits", "Q8_0", "--out", str(tmp_path / "out")])
    out = capsys.readouterr().out
    assert end.value.code == 0, out
    assert "perplexity" in out
    assert "ollama create NAME" in out
    with pytest.raises(SystemExit) as end:
        main(["gguf", str(base), "--bits", "Q3_K", "--out", str(tmp_path / "other")])
    assert end.value.code == 2
    assert "F16, Q8_0, Q5_0, Q4_0" in capsys.readouterr().err
