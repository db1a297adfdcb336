"""`lora_head` without nshot: python lora_head.py MODEL train.csv test.csv TEXT LABEL.

MODEL is a causal language model: a Hub id or a folder.
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
    """Prompts and labels of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        return [
            (f"{text.capitalize()}: {row[text].strip()}\n{label.capitalize()}:", row[label])
            for row in csv.DictReader(file)
        ]


rows, epochs, size = read(train), 4, 4
labels = sorted({said for _, said in rows})
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
order = [row for _ in range(epochs) for row in random.sample(rows, len(rows))]
batches = [order[i : i + size] for i in range(0, len(order), size)][:320]
for step, batch in enumerate(batches):
    left = 1 - step / len(batches)
    optimiser.param_groups[0]["lr"] = 1e-3 * min(1, (step + 1) / (0.1 * len(batches)), left / 0.9)
    wanted = torch.tensor([labels.index(said) for _, said in batch])
    loss = torch.nn.functional.cross_entropy(torch.cat([logits(p) for p, _ in batch]), wanted)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

model.eval()
with torch.inference_mode():
    right = [labels[int(logits(prompt).argmax())] == said for prompt, said in read(test)]
print(f"accuracy {sum(right) / len(right):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
