"""`baseline` without nshot: python baseline.py ENCODER train.csv test.csv TEXT LABEL.

ENCODER is a sentence-transformers model: a Hub id or a folder.
"""

import csv
import sys

import torch
from sentence_transformers import SentenceTransformer


def read(path, text, label):
    """Unit vectors, times the root of their width: entries of about 1; and labels."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [row[text] for row in rows]
    unit = encoder.encode(texts, normalize_embeddings=True, convert_to_tensor=True).cpu()
    return unit * unit.shape[1] ** 0.5, [row[label] for row in rows]


name, train, test, text, label = sys.argv[1:6]
encoder = SentenceTransformer(name)
known, labels = read(train, text, label)
names = sorted(set(labels))
wanted = torch.tensor([names.index(label) for label in labels])
head = torch.nn.Linear(known.shape[1], len(names))
torch.nn.init.zeros_(head.weight)
torch.nn.init.zeros_(head.bias)
descent = torch.optim.SGD(head.parameters(), 0.01, 0.9, dampening=0.9, weight_decay=1e-3)
torch.manual_seed(0)
for rows in [rows for _ in range(100) for rows in torch.randperm(len(known)).split(4)]:
    descent.zero_grad()
    torch.nn.functional.cross_entropy(head(known[rows]), wanted[rows]).backward()
    descent.step()
asked, labels = read(test, text, label)
wanted = torch.tensor([names.index(label) for label in labels])
right = head(asked).argmax(1) == wanted
print(f"accuracy {right.float().mean():.4f}")
