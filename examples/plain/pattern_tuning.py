"""`pattern_tuning` without nshot: python pattern_tuning.py MODEL train.csv test.csv TEXT LABEL.

MODEL is a causal language model: a Hub id or a folder. Each pass over the rows puts a row by the
other of two patterns; the right label competes with all others; at the end both patterns vote.
"""

import csv
import random
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

name, train, test, text, label = sys.argv[1:6]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
config = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules="all-linear")
model = get_peft_model(model, config)


def read(path):
    """Texts and labels of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        return [(row[text].strip(), row[label].replace("_", " ")) for row in csv.DictReader(file)]


rows, tests = read(train), read(test)
labels = sorted({right for _, right in rows})
plain = f"{text.capitalize()}: {{}}\n{label.capitalize()}:"
question = f"Give the {label} of the text.\nAnswer with one of: {', '.join(labels)}."
patterns = [plain, f"{question}\n\n{plain}"]


def likely(prompt):
    """Log-probabilities of the labels among themselves, each with all its tokens."""
    start = len(tokenizer(prompt)["input_ids"])
    scores = []
    for words in labels:
        ids = torch.tensor([tokenizer(f"{prompt} {words}")["input_ids"]])
        logits = model(ids, use_cache=False).logits[0, start - 1 : -1]
        scores.append(logits.log_softmax(-1).gather(1, ids[0, start:, None]).sum())
    return torch.stack(scores).log_softmax(0)


epochs, size = 4, 4
every = [
    (patterns[(i + number) % 2].format(said), labels.index(right))
    for number in range(epochs)
    for i, (said, right) in enumerate(rows)
]
random.shuffle(every)
batches = [every[i : i + size] for i in range(0, len(every), size)][:320]
free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, lr=1e-3, weight_decay=0.0)
for step, batch in enumerate(batches):
    left = 1 - step / len(batches)
    optimiser.param_groups[0]["lr"] = 1e-3 * min(1, (step + 1) / (0.1 * len(batches)), left / 0.9)
    loss = -torch.stack([likely(prompt)[right] for prompt, right in batch]).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

with torch.inference_mode():
    votes = [sum(likely(p.format(said)).exp() for p in patterns) for said, _ in tests]
right = [labels[vote.argmax()] == said for vote, (_, said) in zip(votes, tests, strict=True)]
print(f"accuracy {sum(right) / len(right):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
