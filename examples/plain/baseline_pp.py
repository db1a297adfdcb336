"""`baseline_pp` without nshot: python baseline_pp.py ENCODER train.csv test.csv TEXT LABEL.

ENCODER is a sentence-transformers model: a Hub id or a folder.
"""

import csv
import sys

import torch
from sentence_transformers import SentenceTransformer
from torch.nn.functional import cross_entropy, normalize


def read(path, text, label):
    """Unit vectors and labels of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [row[text] for row in rows]
    unit = encoder.encode(texts, normalize_embeddings=True, convert_to_tensor=True).cpu()
    return unit, [row[label] for row in rows]


name, train, test, text, label = sys.argv[1:6]
encoder = SentenceTransformer(name)
known, labels = read(train, text, label)
names = sorted(set(labels))
wanted = torch.tensor([names.index(label) for label in labels])
start = torch.randn(len(names), known.shape[1], generator=torch.Generator().manual_seed(0))
weight, scale = normalize(start).requires_grad_(), torch.tensor(10.0, requires_grad=True)
descent = torch.optim.SGD([weight, scale], 0.01, 0.9, dampening=0.9, weight_decay=1e-3)
torch.manual_seed(0)
for rows in [rows for _ in range(100) for rows in torch.randperm(len(known)).split(4)]:
    descent.zero_grad()
    cross_entropy(scale * known[rows] @ normalize(weight).T, wanted[rows]).backward()
    descent.step()
asked, labels = read(test, text, label)
wanted = torch.tensor([names.index(label) for label in labels])
right = (asked @ normalize(weight).T).argmax(1) == wanted
print(f"accuracy {right.float().mean():.4f}")
