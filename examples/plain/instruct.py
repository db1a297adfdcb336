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
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

name, train, test = sys.argv[1:4]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
config = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules="all-linear")
model = get_peft_model(model, config)


def tokens(turns, answering=False):
    """The turns as the template writes them, up to their last token or to that of a header."""
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=answering)
    return tokenizer(text if answering else text.rstrip(), add_special_tokens=False).input_ids


def taught(turns):
    """Token ids of a conversation, and the same with -100 where nothing is taught."""
    ids = torch.tensor(tokens(turns)[:1024])
    labels = torch.full_like(ids, -100)
    for k in (k for k, turn in enumerate(turns) if turn["role"] == "assistant"):
        answer = slice(len(tokens(turns[:k], True)), len(tokens(turns[: k + 1])))
        labels[answer] = ids[answer]
    return ids, labels


def read(path):
    """The conversations of a file."""
    with open(path, encoding="utf-8") as file:
        return [taught(json.loads(line)["messages"]) for line in file]


def total(ids, labels):
    """Negative log-likelihood of the tokens of a conversation that are taught."""
    return cross_entropy(model(ids[None]).logits[0, :-1], labels[1:], reduction="sum")


def loss_of(batch):
    """Its mean over the tokens of all."""
    return sum(total(*row) for row in batch) / sum((labels > -100).sum() for _, labels in batch)


rows, tests, epochs, size, rate = read(train), read(test), 3, 8, 5e-4
with torch.no_grad():
    print(f"held-out loss before {float(loss_of(tests)):.4f}")
order = [row for _ in range(epochs) for row in random.sample(rows, len(rows))]
batches = [order[i : i + size] for i in range(0, len(order), size)][:320]
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
    print(f"held-out loss after {float(loss_of(tests)):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
