"""`description_match` without nshot: python description_match.py VISION ENCODER known new CLASSES.

VISION is a vision model of transformers, ENCODER a sentence-transformers model: Hub ids or folders.
`known` and `new` hold a folder of pictures for each class; CLASSES is a CSV with `label` and
`description` of all of them. The pictures in `new` are told from the descriptions alone.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

vision, encoder, known, new, classes = sys.argv[1:6]
network = AutoModel.from_pretrained(vision).eval()
with open(classes, encoding="utf-8", newline="") as file:
    texts = {row["label"]: f"{row['label']}: {row['description']}" for row in csv.DictReader(file)}
names = list(texts)
vectors = SentenceTransformer(encoder).encode(list(texts.values()), normalize_embeddings=True)


def looked(path):
    """One picture as a vector of unit length: the mean over its places."""
    side = network.config.image_size
    square = np.asarray(Image.open(path).convert("RGB").resize((side, side)), np.float32)
    pixels = torch.from_numpy(square / 127.5 - 1).permute(2, 0, 1)[None]
    with torch.inference_mode():
        places = network(pixel_values=pixels).last_hidden_state
    mean = places.flatten(2).mean(-1) if places.ndim == 4 else places.mean(1)
    return torch.nn.functional.normalize(mean)[0].double().numpy()


def pictures(folder):
    """(pictures, width) vectors, and the number of each one's class."""
    found = [(path, names.index(path.parent.name)) for path in sorted(Path(folder).glob("*/*"))]
    return np.stack([looked(path) for path, _ in found]), np.array([label for _, label in found])


x, label = pictures(known)
mean, centre = x.mean(0), vectors[np.unique(label)].mean(0)
x, y = x - mean, vectors[label] - centre
ridge = 10 * (x**2).sum() / x.shape[1]
weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)

x, label = pictures(new)
unseen = np.unique(label)
mapped, said = (x - mean) @ weights, vectors[unseen] - centre
likeness = mapped @ (said / np.linalg.norm(said, axis=1, keepdims=True)).T
print(f"accuracy {(unseen[likeness.argmax(1)] == label).mean():.4f}")
np.savetxt("weights.csv", weights, delimiter=",")
