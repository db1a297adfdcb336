"""`stacked` of `tfidf_lr` without nshot: stacked.py ENCODER train.csv test.csv TEXT LABEL."""

import csv
import sys

import numpy as np
from sentence_transformers import SentenceTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline, make_union

name, train, test, text, label = sys.argv[1:6]
encoder = SentenceTransformer(name)


def read(path):
    """Texts and labels of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row[text] for row in rows], [row[label] for row in rows]


def features(texts, probabilities):
    """Vectors of unit length, and log-probabilities less their mean."""
    logs = np.maximum(np.log(probabilities), -10)
    vectors = encoder.encode(texts, normalize_embeddings=True)
    return np.hstack([vectors, logs - logs.mean(axis=1, keepdims=True)])


words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
inner = make_pipeline(make_union(words, letters), LogisticRegression(C=10, max_iter=2000))
(texts, labels), (asked, right) = read(train), read(test)
unseen = cross_val_predict(inner, texts, labels, cv=4, method="predict_proba")
head = LogisticRegression(C=1, max_iter=2000).fit(features(texts, unseen), labels)
known = inner.fit(texts, labels).predict_proba(asked)
print(f"accuracy {head.score(features(asked, known), right):.4f}")
