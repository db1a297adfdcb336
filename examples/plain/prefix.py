"""`prefix` without nshot: python prefix.py MODEL train.csv test.csv TEXT LABEL.

MODEL is a causal language model: a Hub id or a folder.
"""

import csv
import random
import sys

import torch
from peft import PrefixTuningConfig, get_peft_model
from peft.tuners.cartridge.utils import initialize_kv_prefix_from_text
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

name, train, test, text, label = sys.argv[1:6]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)


def read(path):
    """Prompts and answers of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = [(row[text].strip(), row[label].replace("_", " ")) for row in csv.DictReader(file)]
    return [(f"{text.capitalize()}: {a}\n{label.capitalize()}:", f" {b}") for a, b in rows]


def logprob(prompt, answer):
    """Log-probability of each token of the answer after the prompt."""
    ids = torch.tensor([tokenizer(prompt + answer)["input_ids"]])
    count = ids.shape[1] - len(tokenizer(prompt)["input_ids"])
    logits = model(ids, logits_to_keep=count + 1).logits[0, :-1]
    return logits.log_softmax(-1).gather(1, ids[0, -count:, None])


rows, epochs, size = read(train), 4, 4
answers = sorted({answer for _, answer in rows})
random.shuffle(rows)
shown, tokens = "", 0
for prompt, answer in list(rows):
    longer = f"{shown}{prompt}{answer}\n\n"
    count = len(tokenizer(longer)["input_ids"])
    if tokens and count > 64:
        break
    shown, tokens = longer, count
    rows.remove((prompt, answer))  # its answer will be in sight
config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=tokens)
model = get_peft_model(model, config)
initialize_kv_prefix_from_text(model, tokenizer, text=shown, use_chat_template=False)
free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, lr=5e-3, weight_decay=0.0)
order = [row for _ in range(epochs) for row in random.sample(rows, len(rows))]
batches = [order[i : i + size] for i in range(0, len(order), size)][:160]
for step, batch in enumerate(batches):
    left = 1 - step / len(batches)
    optimiser.param_groups[0]["lr"] = 5e-3 * min(1, (step + 1) / (0.1 * len(batches)), left / 0.9)
    loss = -torch.cat([logprob(*row) for row in batch]).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

with torch.inference_mode():
    right = [max(answers, key=lambda a: logprob(p, a).sum()) == said for p, said in read(test)]
print(f"accuracy {sum(right) / len(right):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
