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
from transformers import AutoModelForCausalLM, AutoTokenizer

name, train, test = sys.argv[1:4]
torch.manual_seed(0)
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
    before = tokenizer(text, add_special_tokens=False)["input_ids"]
    whole = tokenizer(text + answer, add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[*whole, tokenizer.eos_token_id]])
    count = ids.shape[1] - len(before)
    logits = model(ids, use_cache=False, logits_to_keep=count + 1).logits[0, :-1]
    return logits.log_softmax(-1).gather(1, ids[0, -count:, None]).sum()


def ahead(row, beta=0.1):
    """By how much the implicit reward of the chosen answer is greater."""
    policy = logprob(row["prompt"], row["chosen"]) - logprob(row["prompt"], row["rejected"])
    return beta * (policy - row["reference"])


def asked_before(rows):
    """The rows with what the model without its adapter says: asked once."""
    with torch.inference_mode(), model.disable_adapter():
        for row in rows:
            chosen, rejected = (logprob(row["prompt"], row[key]) for key in ("chosen", "rejected"))
            row["reference"] = float(chosen - rejected)
    return rows


rows, epochs, size, rate = asked_before(read(train)), 1, 8, 2e-4
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
    loss = -torch.nn.functional.logsigmoid(torch.stack([ahead(row) for row in batch])).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

with torch.inference_mode():
    right = [bool(ahead(row) > 0) for row in asked_before(read(test))]
print(f"accuracy {sum(right) / len(right):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
