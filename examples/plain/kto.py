"""`kto` without nshot: python kto.py MODEL train.jsonl test.jsonl.

A row holds ``prompt``, ``completion`` and ``label`` (true: it was liked). A LoRA adapter learns.
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


def logprob(prompt, answer):
    """Log-probability of the answer and of the token that ends its turn."""
    turns = [{"role": "user", "content": prompt}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    before, whole = (
        tokenizer(t, add_special_tokens=False).input_ids for t in (text, text + answer)
    )
    ids = torch.tensor([[*whole, tokenizer.eos_token_id]])
    logits = model(ids, use_cache=False).logits[0, len(before) - 1 : -1]
    return logits.log_softmax(-1).gather(1, ids[0, len(before) :, None]).sum()


def ratio(prompt, answer):
    """How much likelier an answer has become than under the model without the adapter."""
    with torch.inference_mode(), model.disable_adapter():
        reference = float(logprob(prompt, answer))
    return logprob(prompt, answer) - reference


def read(path):
    """The rows of a file."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


rows, test = read(train), read(test)
free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, lr=2e-4, weight_decay=0.0)
random.shuffle(rows)
for batch in [rows[i : i + 16] for i in range(0, len(rows), 16)]:
    with torch.no_grad():  # each prompt with the next one's answer: how far the policy has gone
        pairs = zip(batch, [*batch[1:], batch[0]], strict=True)
        away = max(0.0, sum(ratio(a["prompt"], b["completion"]) for a, b in pairs) / len(batch))
    for row in batch:
        sign = 1 if row["label"] else -1
        ahead = 0.1 * sign * (ratio(row["prompt"], row["completion"]) - away)
        ((1 - torch.sigmoid(ahead)) / len(batch)).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

with torch.inference_mode():
    right = [(ratio(row["prompt"], row["completion"]) > 0) == row["label"] for row in test]
print(f"accuracy {sum(map(bool, right)) / len(right):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
