"""`fewer_layers` without nshot: python fewer_layers.py MODEL train.csv test.csv TEXT LABEL.

MODEL is a causal language model of the Llama kind that answers the task: a folder of `lora` or
`full`, merged. Half its layers go, and what is left learns what the whole expects at each token.
"""

import copy
import csv
import random
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

name, train, test, text, label = sys.argv[1:6]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
teacher = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32).eval()
student = copy.deepcopy(teacher)


def read(path):
    """Prompts and answers of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = [(row[text].strip(), row[label].replace("_", " ")) for row in csv.DictReader(file)]
    return [(f"{text.capitalize()}: {a}\n{label.capitalize()}:", f" {b}") for a, b in rows]


def expected(model, prompt, answer):
    """Log-probabilities of all tokens at each place of the answer, and which one stands there."""
    ids = torch.tensor([tokenizer(prompt + answer)["input_ids"]])
    count = ids.shape[1] - len(tokenizer(prompt)["input_ids"])
    logits = model(ids, use_cache=False, logits_to_keep=count + 1).logits[0, :-1]
    return logits.log_softmax(-1), ids[0, -count:, None]


def loss(row, hard=0.5):
    """What the student is off from the answer, and from the teacher (forward KL)."""
    (mine, right), teachers = expected(student, *row), expected(teacher, *row)[0].detach()
    off = (teachers.exp() * (teachers - mine)).sum()
    return hard * -mine.gather(1, right).sum() + (1 - hard) * off


rows = read(train)
while len(student.model.layers) > len(teacher.model.layers) // 2:
    layers, losses = list(student.model.layers), []
    for at in range(len(layers)):  # without which one is the loss lowest?
        student.model.layers = torch.nn.ModuleList(layers[:at] + layers[at + 1 :])
        with torch.no_grad():
            losses.append(sum(loss(row) for row in rows[:16]))
    layers.pop(losses.index(min(losses)))
    student.model.layers = torch.nn.ModuleList(layers)
student.config.num_hidden_layers = len(student.model.layers)

epochs, size, rate = 4, 4, 1e-4
free = [p for n, p in student.named_parameters() if "embed" not in n and "lm_head" not in n]
optimiser = torch.optim.AdamW(free, lr=rate, weight_decay=0.0)
order = [row for _ in range(epochs) for row in random.sample(rows, len(rows))]
batches = [order[i : i + size] for i in range(0, len(order), size)]
for step, batch in enumerate(batches):
    left = 1 - step / len(batches)
    optimiser.param_groups[0]["lr"] = rate * min(1, (step + 1) / (0.1 * len(batches)), left / 0.9)
    (sum(loss(row) for row in batch) / len(batch)).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()


def logprob(prompt, answer):
    """Log-probability of an answer."""
    mine, right = expected(student, prompt, answer)
    return mine.gather(1, right).sum()


answers = sorted({answer for _, answer in rows})
with torch.inference_mode():
    right = [max(answers, key=lambda a: logprob(p, a)) == said for p, said in read(test)]
print(f"accuracy {sum(right) / len(right):.4f}")
student.save_pretrained("student")
tokenizer.save_pretrained("student")
