"""`lora_head` for several labels a row, without nshot.

    python lora_head_labels.py MODEL train.csv test.csv TEXT LABELS

MODEL is a causal language model: a Hub id or a folder. Labels of a row stand as ``a|b``; none is
an empty cell. A label applies from a probability of a half on.
"""

import csv
import random
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

name, train, test, text, label = sys.argv[1:6]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)


def read(path):
    """Prompts and the labels of each."""
    with open(path, encoding="utf-8", newline="") as file:
        return [
            (f"{text.capitalize()}: {row[text].strip()}\n{label.capitalize()}:",
             {one for one in row[label].split("|") if one})
            for row in csv.DictReader(file)
        ]  # fmt: skip


rows, steps, size = read(train), 320, 4
labels = sorted(set.union(*(own for _, own in rows)))
model = AutoModelForSequenceClassification.from_pretrained(
    name, num_labels=len(labels), dtype=torch.float32
)
model.config.pad_token_id = tokenizer.pad_token_id  # the logits are those of the token before it
config = LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules="all-linear")
model = get_peft_model(model, config)


def logits(prompt):
    """(1, labels)."""
    return model(torch.tensor([tokenizer(prompt)["input_ids"]])).logits


free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, lr=1e-3, weight_decay=0.0)
for _ in range(min(steps, 4 * len(rows) // size)):
    batch = random.sample(rows, min(size, len(rows)))
    wanted = torch.tensor([[float(one in own) for one in labels] for _, own in batch])
    given = torch.cat([logits(prompt) for prompt, _ in batch])
    torch.nn.functional.binary_cross_entropy_with_logits(given, wanted).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

model.eval()
both = answered = true = 0
with torch.inference_mode():
    for prompt, own in read(test):
        answer = {one for one, z in zip(labels, logits(prompt)[0], strict=True) if z >= 0}
        both, answered, true = both + len(answer & own), answered + len(answer), true + len(own)
print(f"micro_f1 {2 * both / max(1, answered + true):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
