"""`dpo` without nshot: python dpo.py MODEL train.jsonl test.jsonl.

MODEL is a causal language model with a chat template: a Hub id or a folder. A row holds
``prompt``, ``chosen`` and ``rejected``. A LoRA adapter learns; the model without it is the
reference.
"""

import json
import random
import sys

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

name, train, test = sys.argv[1:4]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
config = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules="all-linear")
model = get_peft_model(model, config)


def read(path):
    """The rows of a file, those of two equal answers left out."""
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row for row in rows if row["chosen"].strip() != row["rejected"].strip()]


def logprob(prompt, answer):
    """Log-probability of the answer and of the token that ends its turn."""
    turns = [{"role": "user", "content": prompt}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    texts = [text, text + answer + tokenizer.eos_token]
    before, ids = tokenizer(texts, add_special_tokens=False).input_ids
    logits = model(torch.tensor([ids]), use_cache=False).logits[0, len(before) - 1 : -1]
    return -cross_entropy(logits, torch.tensor(ids[len(before) :]), reduction="sum")


def ahead(row):
    """By how much the chosen answer is likelier than the rejected one."""
    return logprob(row["prompt"], row["chosen"]) - logprob(row["prompt"], row["rejected"])


def loss_of(batch, beta=0.1):
    """Equation 7, a mean over the pairs."""
    return -logsigmoid(beta * torch.stack([ahead(row) - row["reference"] for row in batch])).mean()


rows, tests, size, rate = read(train), read(test), 8, 2e-4
with torch.no_grad(), model.disable_adapter():  # the reference is asked once
    for row in rows + tests:
        row["reference"] = ahead(row)
random.shuffle(rows)
batches = [rows[i : i + size] for i in range(0, len(rows), size)][:320]
free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, weight_decay=0.0)
for step, batch in enumerate(batches):
    left = 1 - step / len(batches)
    optimiser.param_groups[0]["lr"] = rate * min(1, (step + 1) / (0.1 * len(batches)), left / 0.9)
    loss_of(batch).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

with torch.no_grad():
    right = [float(ahead(row) > row["reference"]) for row in tests]
print(f"accuracy {sum(right) / len(right):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
