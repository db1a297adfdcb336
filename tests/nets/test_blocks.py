"""Blocks of language models by the names of their matrices; tests/methods/test_architectures.py
looks at every family of PEFT's tables."""

from __future__ import annotations

from architectures import tiny_architecture
from nshot.nets.blocks import Block, blocks, endings, unfit


def test_a_block_names_its_matrices_in_full():
    first, second = blocks(tiny_architecture("opt"))
    at = "model.decoder.layers.1"
    assert second == Block(
        queries=(f"{at}.self_attn.q_proj",),
        keys=(f"{at}.self_attn.k_proj",),
        values=(f"{at}.self_attn.v_proj",),
        attended=(f"{at}.self_attn.out_proj",),
        inner=(f"{at}.fc2",),
    )
    assert first.inner == ("model.decoder.layers.0.fc2",)


def test_a_fused_matrix_is_all_three_and_the_two_ends_are_told_apart():
    for block in blocks(tiny_architecture("gpt2")):
        assert block.queries == block.keys == block.values
        assert block.attended[0].endswith("attn.c_proj")
        assert block.inner[0].endswith("mlp.c_proj")


def test_sublayers_may_stand_in_blocks_of_their_own():
    """Nemotron-H: a state space layer, an attention, a feed-forward layer."""
    scan, attention, feed_forward = blocks(tiny_architecture("nemotron_h"))
    assert scan == Block()
    assert attention.keys
    assert not attention.inner
    assert feed_forward.inner
    assert not feed_forward.keys


def test_experts_in_one_tensor_are_seen_and_no_attention_is_no_block():
    assert all(block.packed for block in blocks(tiny_architecture("mixtral")))
    assert not any(block.packed for block in blocks(tiny_architecture("llama")))
    assert blocks(tiny_architecture("rwkv")) == []


def test_endings_name_these_modules_and_no_others():
    llama, gpt2 = tiny_architecture("llama"), tiny_architecture("gpt2")
    assert endings(llama, [block.keys[0] for block in blocks(llama)]) == ["k_proj"]
    assert endings(llama, [blocks(llama)[1].keys[0]]) == ["1.self_attn.k_proj"]
    assert endings(gpt2, [block.inner[0] for block in blocks(gpt2)]) == ["mlp.c_proj"]
    bert = tiny_architecture("bert")
    assert endings(bert, [block.inner[0] for block in blocks(bert)]) == [
        "0.output.dense", "1.output.dense"
    ]  # fmt: skip


def test_what_no_adapter_should_stand_beside():
    assert unfit(tiny_architecture("llama")) is None
    assert unfit(tiny_architecture("llama4")) == ["router"]
    assert unfit(tiny_architecture("nemotron_h")) == ["out_proj"]
    assert set(unfit(tiny_architecture("bart")) or ()) == {
        f"encoder_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "out_proj")
    }
