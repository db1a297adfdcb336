"""`ridge` without nshot: python ridge.py ENCODER train.csv test.csv TEXT NUMBER.

ENCODER is a sentence-transformers model: a Hub id or a folder.
"""

import csv
import sys

import numpy as np
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score


def read(path, text, number):
    """Texts and numbers of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row[text] for row in rows], np.array([float(row[number]) for row in rows])


name, train, test, text, number = sys.argv[1:6]
encoder = SentenceTransformer(name)
texts, known = read(train, text, number)
head = Ridge(alpha=1.0).fit(encoder.encode(texts, normalize_embeddings=True), known)

texts, right = read(test, text, number)
answers = head.predict(encoder.encode(texts, normalize_embeddings=True))
answers = np.clip(answers, known.min(), known.max())
print(f"mean absolute error {mean_absolute_error(right, answers):.4g}")
print(f"r2 {r2_score(right, answers):.4f}")
