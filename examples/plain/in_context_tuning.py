"""`in_context_tuning` without nshot:
python in_context_tuning.py MODEL train.csv test.csv TEXT LABEL OTHER.csv [OTHER.csv ...]

MODEL is a causal language model: a Hub id or a folder. The OTHER files are tasks of their own, in
the columns TEXT and LABEL. They alone are trained on; the rows of train.csv are shown.
"""

import csv
import random
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

name, train, test, text, label, *others = sys.argv[1:]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
config = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules="all-linear")
model = get_peft_model(model, config)


def read(path):
    """Questions and answers of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = [(row[text].strip(), row[label].replace("_", " ")) for row in csv.DictReader(file)]
    return [(f"{text.capitalize()}: {a}\n{label.capitalize()}:", f" {b}") for a, b in rows]


def logprob(shown, question, answer):
    """Log-probability of each token of the answer to a question behind solved ones."""
    prompt = "\n\n".join([*(q + a for q, a in shown), question])
    ids = torch.tensor([tokenizer(prompt + answer)["input_ids"]])
    count = ids.shape[1] - len(tokenizer(prompt)["input_ids"])
    logits = model(ids, use_cache=False, logits_to_keep=count + 1).logits[0, :-1]
    return logits.log_softmax(-1).gather(1, ids[0, -count:, None])


n, steps, size = 4, 60, 4
tasks = [read(path) for path in others]
free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, lr=1e-3, weight_decay=0.0)
for step in range(steps):
    optimiser.param_groups[0]["lr"] = 1e-3 * min(1, (step + 1) / 6, (1 - step / steps) / 0.9)
    losses = []
    for _ in range(size):
        rows = random.choice(tasks)
        query, *shown = random.sample(rows, min(n + 1, len(rows)))
        losses.append(logprob(shown, *query))
    (-torch.cat(losses).mean()).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

rows = read(train)
shown = random.sample(rows, min(n, len(rows)))
answers = sorted({answer for _, answer in rows})
with torch.inference_mode():
    right = [max(answers, key=lambda a: logprob(shown, q, a).sum()) == b for q, b in read(test)]
print(f"accuracy {sum(right) / len(right):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
