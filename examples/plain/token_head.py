"""`token_head` without nshot: python token_head.py ENCODER train.jsonl test.jsonl.

ENCODER is a sentence-transformers model: a Hub id or a folder. A line of a file is
{"text": "...", "spans": [{"start": 0, "end": 9, "label": "name"}]}.
"""

import json
import sys

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression


def read(path):
    """Texts, and the spans of each as (start, end, label)."""
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [
        (row["text"], [(s["start"], s["end"], s["label"]) for s in row["spans"]]) for row in rows
    ]


def tokens(text):
    """(tokens, width) vectors of the middle layer, and the characters of each token."""
    coded = encoder.tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
    places = coded.pop("offset_mapping")[0].tolist()
    with torch.inference_mode():
        states = encoder[0].auto_model(**coded, output_hidden_states=True).hidden_states
    vectors = states[len(states) // 2][0].numpy()
    own = [i for i, (start, end) in enumerate(places) if end > start]
    return vectors[own] / np.linalg.norm(vectors[own], axis=1)[:, None], [places[i] for i in own]


def tags(spans, places):
    """Of each token "" (outside), "B-label" (the first of a span) or "I-label"."""
    names = [""] * len(places)
    for start, end, label in spans:
        inside = [i for i, (a, b) in enumerate(places) if a < end and b > start]
        for i in inside:
            names[i] = ("B-" if i == inside[0] else "I-") + label
    return names


def answer(text):
    """The spans of the likeliest tags of which no I- stands behind another label (Viterbi)."""
    vectors, places = tokens(text)
    names, logits = list(head.classes_), head.predict_log_proba(vectors)
    may = np.array([[0.0 if b[:1] != "I" or a[2:] == b[2:] else -np.inf for b in names]
                    for a in names])  # fmt: skip
    best = np.where([n[:1] == "I" for n in names], -np.inf, logits[0])
    back = []
    for row in logits[1:]:
        back.append((best[:, None] + may).argmax(0))
        best = (best[:, None] + may).max(0) + row
    path = [best.argmax()]
    for before in back[::-1]:
        path.append(before[path[-1]])
    spans = []
    for (start, end), tag in zip(places, [names[i] for i in path[::-1]], strict=True):
        if tag[:1] == "B":
            spans.append((start, end, tag[2:]))
        elif tag:
            spans[-1] = (spans[-1][0], end, tag[2:])
    pieces = [(start, text[start:end].rstrip(), label) for start, end, label in spans]
    return [
        (start + len(piece) - len(piece.lstrip()), start + len(piece), label)
        for start, piece, label in pieces
    ]


encoder = SentenceTransformer(sys.argv[1], device="cpu")
train, test = read(sys.argv[2]), read(sys.argv[3])
seen = [(*tokens(text), spans) for text, spans in train]
head = LogisticRegression(C=10.0, max_iter=5000, tol=1e-8).fit(
    np.concatenate([vectors for vectors, _, _ in seen]),
    [tag for _, places, spans in seen for tag in tags(spans, places)],
)
answers = [answer(text) for text, _ in test]
right = sum(len({*spans} & {*own}) for own, (_, spans) in zip(answers, test, strict=True))
marked, occurring = sum(map(len, answers)), sum(len(spans) for _, spans in test)
print(f"span F1 {2 * right / (marked + occurring):.4f}")
