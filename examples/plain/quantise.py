"""`quantise` without nshot: python quantise.py MODEL_FOLDER BITS TEXT_FILE, BITS being 8, 5 or 4.

Each matrix becomes what Q8_0, Q5_0 or Q4_0 keep of it, the embedding in 8 bits.
"""

import math
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def rounded(weight, bits):
    """Blocks of 32 weights of a row, each with one 16-bit scale and a whole number a weight."""
    blocks = weight.reshape(-1, 32)
    furthest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    if bits == 8:  # from -127 to 127
        scale, low, high = furthest.abs() / 127, -127, 127
    else:  # the furthest weight is the lowest number: one level more on its side
        scale, low, high = furthest / -(2 ** (bits - 1)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    whole = torch.where(scale == 0, 0, blocks / scale).round().clamp(low, high)
    return (whole * scale.half().float()).reshape(weight.shape)


def perplexity(model, tokens):
    """Of a text, read at once."""
    with torch.no_grad():
        return math.exp(model(tokens, labels=tokens).loss)


folder, bits, text = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).read_text(encoding="utf-8")
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt").input_ids
before = perplexity(model, tokens)
for name, weight in model.named_parameters():  # a tied embedding stands there once
    if weight.ndim == 2:
        kept = 8 if "embed_tokens" in name or "lm_head" in name else bits
        weight.data = rounded(weight.data, kept)
print(f"perplexity {before:.4f}, then {perplexity(model, tokens):.4f}")
