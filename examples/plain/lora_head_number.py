"""`lora_head` for a number, without nshot.

    python lora_head_number.py MODEL train.csv test.csv TEXT NUMBER

MODEL is a causal language model: a Hub id or a folder. The head learns standard deviations from the
mean of the training rows, with Huber's loss, and begins at zero.
"""

import csv
import random
import statistics
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

name, train, test, text, label = sys.argv[1:6]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)


def read(path):
    """Prompts and the number of each."""
    with open(path, encoding="utf-8", newline="") as file:
        return [
            (f"{text.capitalize()}: {row[text].strip()}\n{label.capitalize()}:", float(row[label]))
            for row in csv.DictReader(file)
        ]


rows, steps, size = read(train), 320, 4
numbers = [number for _, number in rows]
mean, deviation = statistics.mean(numbers), statistics.pstdev(numbers) or 1.0
model = AutoModelForSequenceClassification.from_pretrained(name, num_labels=1, dtype=torch.float32)
model.config.pad_token_id = tokenizer.pad_token_id  # the output is that of the token before it
config = LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules="all-linear")
model = get_peft_model(model, config)
head = model.base_model.model.score.modules_to_save["default"]
torch.nn.init.zeros_(head.weight)


def output(prompt):
    """(1,): deviations from the mean."""
    return model(torch.tensor([tokenizer(prompt)["input_ids"]])).logits[0]


free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, lr=1e-3, weight_decay=0.0)
for _ in range(min(steps, 4 * len(rows) // size)):
    batch = random.sample(rows, min(size, len(rows)))
    wanted = torch.tensor([(number - mean) / deviation for _, number in batch])
    given = torch.cat([output(prompt) for prompt, _ in batch])
    torch.nn.functional.huber_loss(given, wanted).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

model.eval()
low, high = min(numbers), max(numbers)
with torch.inference_mode():
    errors = [
        abs(min(max(mean + deviation * float(output(prompt)), low), high) - number)
        for prompt, number in read(test)
    ]
print(f"mae {sum(errors) / len(errors):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
