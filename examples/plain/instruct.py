"""`instruct` without nshot: python instruct.py MODEL train.jsonl test.jsonl.

MODEL is a causal language model with a chat template: a Hub id or a folder. A row holds
``messages``: a list of turns with ``role`` and ``content``. Every answer of the assistant is
taught, with the token that ends its turn. A LoRA adapter learns.
"""

import json
import random
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

name, train, test = sys.argv[1:4]
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
config = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules="all-linear")
model = get_peft_model(model, config)


def tokens(turns, answering=False):
    """The turns as the template writes them, and the header of an answer where one is asked."""
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=answering)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def read(path):
    """Token ids of each conversation, and the same with -100 where nothing is taught."""
    rows = []
    with open(path, encoding="utf-8") as file:
        for turns in (json.loads(line)["messages"] for line in file):
            ids = tokens(turns)[:1024]
            labels = [-100] * len(ids)
            for k, turn in enumerate(turns):
                if turn["role"] == "assistant":
                    start, end = len(tokens(turns[:k], True)), len(tokens(turns[: k + 1]))
                    while end > start and tokenizer.decode(ids[end - 1 : end]).isspace():
                        end -= 1  # the newline behind the end token
                    labels[start:end] = ids[start:end]
            rows.append((torch.tensor([ids]), torch.tensor([labels])))
    return rows


def loss_of(batch):
    """Mean negative log-likelihood of the tokens that are taught."""
    total = sum(
        model(ids, labels=labels, use_cache=False).loss * (labels[:, 1:] != -100).sum()
        for ids, labels in batch
    )
    return total / sum((labels[:, 1:] != -100).sum() for _, labels in batch)


def held_out():
    """The loss of the rows that are not learned from."""
    with torch.inference_mode():
        return float(loss_of(read(test)))


rows, epochs, size, rate = read(train), 3, 8, 5e-4
print(f"held-out loss before {held_out():.4f}")
free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, lr=rate, weight_decay=0.0)
batches = [
    shuffled[i : i + size]
    for shuffled in (random.sample(rows, len(rows)) for _ in range(epochs))
    for i in range(0, len(rows), size)
][:320]
for step, batch in enumerate(batches):
    left = 1 - step / len(batches)
    optimiser.param_groups[0]["lr"] = rate * min(1, (step + 1) / (0.1 * len(batches)), left / 0.9)
    loss_of(batch).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()
print(f"held-out loss after {held_out():.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
