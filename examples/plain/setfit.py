"""`setfit` without nshot: python setfit.py ENCODER train.csv test.csv TEXT LABEL.

ENCODER is a sentence-transformers model: a Hub id or a folder.
"""

import csv
import random
import sys

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device
from sklearn.linear_model import LogisticRegression
from transformers import set_seed

name, train, test, text, label = sys.argv[1:6]
set_seed(0)
encoder = SentenceTransformer(name)


def read(path):
    """Texts and labels of a file."""
    with open(path, encoding="utf-8", newline="") as file:
        return [(row[text], row[label]) for row in csv.DictReader(file)]


def vectors(texts):
    """(texts, width), with a gradient."""
    given = batch_to_device(encoder.preprocess(list(texts)), encoder.device)
    return encoder(given)["sentence_embedding"]


rows, iterations, size = read(train), 20, 16
every = [(a, b) for i, a in enumerate(rows) for b in rows[i:]]
pairs = [
    pair
    for alike in (True, False)
    for pair in random.choices(
        [(a, b) for a, b in every if (a[1] == b[1]) == alike], k=iterations * len(rows)
    )
]
random.shuffle(pairs)
batches = [pairs[i : i + size] for i in range(0, len(pairs), size)][:320]
optimiser = torch.optim.AdamW(encoder.parameters(), weight_decay=0.0)
encoder.train()
for step, batch in enumerate(batches):
    left = 1 - step / len(batches)
    optimiser.param_groups[0]["lr"] = 2e-5 * min(1, (step + 1) / (0.1 * len(batches)), left / 0.9)
    first, second = vectors(a[0] for a, _ in batch), vectors(b[0] for _, b in batch)
    wanted = first.new_tensor([float(a[1] == b[1]) for a, b in batch])
    told = torch.nn.functional.cosine_similarity(first, second)
    torch.nn.functional.mse_loss(told, wanted).backward()
    torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()

encoder.eval()
head = LogisticRegression(max_iter=2000, tol=1e-8)
head.fit(encoder.encode([a for a, _ in rows], normalize_embeddings=True), [b for _, b in rows])
asked = read(test)
said = head.predict(encoder.encode([a for a, _ in asked], normalize_embeddings=True))
print(f"accuracy {sum(a == b for a, (_, b) in zip(said, asked, strict=True)) / len(asked):.4f}")
encoder.save("encoder")
