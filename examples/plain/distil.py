"""`distil` without nshot: python distil.py train.csv taught.csv test.csv TEXT LABEL.

taught.csv has texts without labels, and for each label a column of the teacher's probabilities.
"""

import csv
import sys

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_union


def read(path):
    """The rows of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


train, taught, test = map(read, sys.argv[1:4])
text, label = sys.argv[4:6]
names = sorted({row[label] for row in train})
given = np.array([[float(row[label] == name) for name in names] for row in train])
shares = np.array([[float(row[name]) for name in names] for row in taught])
features = make_union(
    TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=50_000),
    TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=50_000),
)
matrix = features.fit_transform([row[text] for row in (*train, *taught)])
weights = np.concatenate([given, shares])
rows, labels = np.nonzero(weights)  # each row once for each label, as heavy as it is probable
head = LogisticRegression(C=10, max_iter=2000, tol=1e-8)
head.fit(matrix[rows], labels, sample_weight=weights[rows, labels])

answers = head.predict(features.transform([row[text] for row in test]))
right = [names[answer] == row[label] for answer, row in zip(answers, test, strict=True)]
print(f"accuracy {sum(right) / len(right):.4f}")
