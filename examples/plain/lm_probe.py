"""`lm_probe` without nshot: python lm_probe.py MODEL train.csv test.csv TEXT LABEL.

MODEL is a causal language model: a Hub id or a folder.
"""

import csv
import sys

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import AutoModel, AutoTokenizer

name, train, test, text, label = sys.argv[1:6]
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModel.from_pretrained(name, dtype=torch.float32).eval()


@torch.inference_mode()
def state(message):
    """What the last block holds at the last token, where the model is about to answer."""
    prompt = f"{text.capitalize()}: {message.strip()}\n{label.capitalize()}:"
    return model(**tokenizer(prompt, return_tensors="pt")).last_hidden_state[0, -1].numpy()


def read(path):
    """States and labels of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [state(row[text]) for row in rows], [row[label] for row in rows]


head = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, tol=1e-8))
head.fit(*read(train))
print(f"accuracy {head.score(*read(test)):.4f}")
