"""`prompt_tuning` without nshot: python prompt_tuning.py MODEL train.csv test.csv TEXT LABEL.

MODEL is a causal language model: a Hub id or a folder.
"""

import csv
import random
import sys

import torch
from peft import PromptTuningConfig, get_peft_model
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
    logits = model(ids, use_cache=False, logits_to_keep=count + 1).logits[0, :-1]
    return logits.log_softmax(-1).gather(1, ids[0, -count:, None])


rows, epochs, size = read(train), 4, 4
answers = sorted({answer for _, answer in rows})
asked = f"Give the {label} of the text.\nAnswer with one of:{','.join(answers)}."
config = PromptTuningConfig(
    task_type="CAUSAL_LM",
    num_virtual_tokens=16,
    prompt_tuning_init="TEXT",
    prompt_tuning_init_text=asked,
    tokenizer_name_or_path=name,
)
model = get_peft_model(model, config)
free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, lr=1e-2, weight_decay=0.0)
order = [row for _ in range(epochs) for row in random.sample(rows, len(rows))]
batches = [order[i : i + size] for i in range(0, len(order), size)][:160]
for step, batch in enumerate(batches):
    left = 1 - step / len(batches)
    optimiser.param_groups[0]["lr"] = 1e-2 * min(1, (step + 1) / (0.1 * len(batches)), left / 0.9)
    loss = -torch.cat([logprob(*row) for row in batch]).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

with torch.inference_mode():
    right = [max(answers, key=lambda a: logprob(p, a).sum()) == said for p, said in read(test)]
print(f"accuracy {sum(right) / len(right):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
