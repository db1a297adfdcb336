"""`qat` without nshot: python qat.py MODEL train.csv test.csv TEXT LABEL.

MODEL is a causal language model of the Llama kind: a Hub id or a folder. Its blocks learn while
they are read in 4 bits; the rounded weights are kept.
"""

import csv
import random
import sys

import torch
from torch.nn.utils import parametrize
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

name, train, test, text, label = sys.argv[1:6]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)


class Q4(torch.nn.Module):
    """32 neighbours share a step: the furthest from zero is the lowest of 16 levels."""

    def forward(self, weight):
        """The rounded weight; the gradient is that of the weight itself."""
        blocks = weight.reshape(-1, 32)
        step = blocks.gather(1, blocks.abs().argmax(1, keepdim=True)) / -8
        whole = torch.where(step == 0, 0, blocks / step).add(8.5).floor().clamp(0, 15) - 8
        near = (whole * step.half().float()).reshape(weight.shape)
        return near.detach() + (weight - weight.detach())


model.requires_grad_(False)
matrices = [part for part in model.model.layers.modules() if isinstance(part, torch.nn.Linear)]
for part in matrices:
    part.requires_grad_(True)
    parametrize.register_parametrization(part, "weight", Q4())


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


rows, epochs, size, rate = read(train), 4, 4, 1e-4
free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, lr=rate, weight_decay=0.0)
order = [row for _ in range(epochs) for row in random.sample(rows, len(rows))]
batches = [order[i : i + size] for i in range(0, len(order), size)]
for step, batch in enumerate(batches):
    left = 1 - step / len(batches)
    optimiser.param_groups[0]["lr"] = rate * min(1, (step + 1) / (0.1 * len(batches)), left / 0.9)
    loss = -torch.cat([logprob(*row) for row in batch]).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

for part in matrices:
    parametrize.remove_parametrizations(part, "weight")  # leaves the rounded ones
answers = sorted({answer for _, answer in rows})
with torch.inference_mode():
    right = [max(answers, key=lambda a: logprob(p, a).sum()) == said for p, said in read(test)]
print(f"accuracy {sum(right) / len(right):.4f}")
model.save_pretrained("rounded")
tokenizer.save_pretrained("rounded")
