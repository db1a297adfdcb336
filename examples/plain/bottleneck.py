"""`bottleneck` without nshot: python bottleneck.py MODEL train.csv test.csv TEXT LABEL.

MODEL is a causal language model of the Llama kind: a Hub id or a folder.
"""

import csv
import random
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

name, train, test, text, label = sys.argv[1:6]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)


class Bottleneck(torch.nn.Module):
    """x + W_up gelu(W_down x + b_down) + b_up, at first x itself."""

    def __init__(self, size, width):
        super().__init__()
        self.down, self.up = torch.nn.Linear(size, width), torch.nn.Linear(width, size)
        torch.nn.init.zeros_(self.up.weight)
        torch.nn.init.zeros_(self.up.bias)

    def forward(self, x):
        """As in the paper."""
        return x + self.up(torch.nn.functional.gelu(self.down(x)))


model.requires_grad_(False)
for block in model.model.layers:  # behind the last projection of both sublayers
    for end in (block.self_attn.o_proj, block.mlp.down_proj):
        end.bottleneck = Bottleneck(end.out_features, 16)
        end.register_forward_hook(lambda end, _, out: end.bottleneck(out))
for name, parameter in model.named_parameters():  # Houlsby et al. train the layer norms too
    if name.endswith("norm.weight"):
        parameter.requires_grad_(True)


def read(path):
    """Prompts and answers of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = [(row[text].strip(), row[label].replace("_", " ")) for row in csv.DictReader(file)]
    return [(f"{text.capitalize()}: {a}\n{label.capitalize()}:", f" {b}") for a, b in rows]


def logprob(prompt, answer):
    """Log-probability of each token of the answer after the prompt."""
    ids = torch.tensor([tokenizer(prompt + answer)["input_ids"]])
    count = ids.shape[1] - len(tokenizer(prompt)["input_ids"])
    logits = model(ids, use_cache=False, logits_to_keep=count + 1).logits[0, :-1]
    return logits.log_softmax(-1).gather(1, ids[0, -count:, None])


rows, epochs, size = read(train), 4, 4
free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, lr=1e-3, weight_decay=0.0)
order = [row for _ in range(epochs) for row in random.sample(rows, len(rows))]
batches = [order[i : i + size] for i in range(0, len(order), size)][:320]
for step, batch in enumerate(batches):
    left = 1 - step / len(batches)
    optimiser.param_groups[0]["lr"] = 1e-3 * min(1, (step + 1) / (0.1 * len(batches)), left / 0.9)
    loss = -torch.cat([logprob(*row) for row in batch]).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

answers = sorted({answer for _, answer in rows})
with torch.inference_mode():
    right = [max(answers, key=lambda a: logprob(p, a).sum()) == said for p, said in read(test)]
print(f"accuracy {sum(right) / len(right):.4f}")
trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
save_file(trained, "bottleneck.safetensors")
