"""`linear_probe` without nshot: python linear_probe.py ENCODER train.csv test.csv TEXT LABEL.

ENCODER is a sentence-transformers model: a Hub id or a folder.
"""

import csv
import sys

from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression


def read(path, text, label):
    """Texts and labels of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row[text] for row in rows], [row[label] for row in rows]


name, train, test, text, label = sys.argv[1:6]
encoder = SentenceTransformer(name)
texts, labels = read(train, text, label)
head = LogisticRegression(C=10, max_iter=2000, tol=1e-8)
head.fit(encoder.encode(texts, normalize_embeddings=True), labels)

texts, labels = read(test, text, label)
vectors = encoder.encode(texts, normalize_embeddings=True)
print(f"accuracy {head.score(vectors, labels):.4f}")
