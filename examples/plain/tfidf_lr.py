"""`tfidf_lr` without nshot: python tfidf_lr.py train.csv test.csv TEXT_COLUMN LABEL_COLUMN."""

import csv
import sys

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union


def read(path, text, label):
    """Texts and labels of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row[text] for row in rows], [row[label] for row in rows]


train, test, text, label = sys.argv[1:5]
texts, labels = read(train, text, label)
model = make_pipeline(
    make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=50_000),
        # Characters inside words: no tokeniser is needed for Korean.
        TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=50_000
        ),
    ),
    LogisticRegression(C=10, max_iter=2000, tol=1e-8),
)
model.fit(texts, labels)
print(f"accuracy {model.score(*read(test, text, label)):.4f}")
