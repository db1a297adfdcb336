"""`reward` without nshot: python reward.py MODEL train.jsonl test.jsonl.

MODEL is a causal language model with a chat template: a Hub id or a folder. A row holds
``prompt``, ``chosen`` and ``rejected``. A LoRA adapter and a head of one number learn.
"""

import json
import random
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch.nn.functional import logsigmoid
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

name, train, test = sys.argv[1:4]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
config = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules="all-linear")
model = get_peft_model(model, config)
body = model.get_base_model().base_model
head = torch.nn.Linear(model.config.hidden_size, 1, bias=False)
torch.nn.init.zeros_(head.weight)  # all answers begin equal


def read(path):
    """The rows of a file, those of two equal answers left out."""
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row for row in rows if row["chosen"].strip() != row["rejected"].strip()]


def reward(prompt, answer):
    """The head on the state at the end of the conversation."""
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids[:, -512:]
    return head(body(ids, use_cache=False).last_hidden_state[0, -1])


def ahead(row):
    """By how much the chosen answer is better."""
    return reward(row["prompt"], row["chosen"]) - reward(row["prompt"], row["rejected"])


def loss_of(batch):
    """Equation 1, a mean over the pairs."""
    return -logsigmoid(torch.cat([ahead(row) for row in batch])).mean()


rows, epochs, size, rate = read(train), 2, 8, 5e-4
order = [row for _ in range(epochs) for row in random.sample(rows, len(rows))]
batches = [order[i : i + size] for i in range(0, len(order), size)][:320]
free = [p for p in (*model.parameters(), *head.parameters()) if p.requires_grad]
optimiser = torch.optim.AdamW(free, weight_decay=0.0)
for step, batch in enumerate(batches):
    left = 1 - step / len(batches)
    optimiser.param_groups[0]["lr"] = rate * min(1, (step + 1) / (0.1 * len(batches)), left / 0.9)
    loss_of(batch).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

with torch.no_grad():
    right = [float(ahead(row) > 0) for row in read(test)]
print(f"accuracy {sum(right) / len(right):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
save_file({"head": head.weight.detach()}, "reward_head.safetensors")
