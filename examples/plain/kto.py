"""`kto` without nshot: python kto.py MODEL train.jsonl test.jsonl.

MODEL is a causal language model with a chat template: a Hub id or a folder. A row holds
``prompt``, ``completion`` and ``label`` (true: it was liked). A LoRA adapter learns; the model
without it is the reference.
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


def read(path):
    """The rows of a file."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def logprob(prompt, answer):
    """Log-probability of the answer and of the token that ends its turn."""
    turns = [{"role": "user", "content": prompt}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    texts = [text, text + answer + tokenizer.eos_token]
    before, ids = tokenizer(texts, add_special_tokens=False).input_ids
    logits = model(torch.tensor([ids]), use_cache=False).logits[0, len(before) - 1 : -1]
    return -cross_entropy(logits, torch.tensor(ids[len(before) :]), reduction="sum")


def ratio(prompt, answer):
    """How much likelier an answer has become than under the model without the adapter."""
    with torch.no_grad(), model.disable_adapter():
        reference = logprob(prompt, answer)
    return logprob(prompt, answer) - reference


def loss_of(batch, beta=0.1):
    """Equation 8, a mean over the answers."""
    with torch.no_grad():  # each prompt with the next one's answer: how far the policy has gone
        pairs = zip(batch, batch[1:] + batch[:1], strict=True)
        away = max(0.0, sum(ratio(a["prompt"], b["completion"]) for a, b in pairs) / len(batch))
    signs = torch.tensor([1 if row["label"] else -1 for row in batch])
    ratios = torch.stack([ratio(row["prompt"], row["completion"]) for row in batch])
    return (1 - torch.sigmoid(beta * signs * (ratios - away))).mean()


rows, tests, size, rate = read(train), read(test), 16, 2e-4
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

right = [(ratio(row["prompt"], row["completion"]) > 0) == row["label"] for row in tests]
print(f"accuracy {sum(map(float, right)) / len(right):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
