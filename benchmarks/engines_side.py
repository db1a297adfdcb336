"""One side of `engines_before_after.py`: the engines of the tree that PYTHONPATH names.

Started by that program with the `src` and `benchmarks` of one commit, so that each side measures
itself through its own benchmarks. Reads one JSON object a line, {"engine": name, "size": number},
and answers each with {"seconds", "work", "answers"}: seconds of the wall and of the processor, and
a digest of what was answered.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import episodes
import generation
import scoring
import training
from table import data_folder

TOKENS, EPOCHS, FEATURES = 32, 1, 6000


class Side:
    """The models, loaded when they are first needed, and what each engine is given."""

    def __init__(self) -> None:
        torch.set_num_threads(scoring.machine.threads())
        self.models = scoring.open_models()
        self.ref = scoring.resolve(None, "lm")
        self.lend = getattr(self.models, "lend", None) or self.models.train
        self.lm = self.models.open(self.ref)

    def scoring(self, rows: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
        """Labels of two tasks."""
        cases = scoring.cases(data_folder(), rows)

        def work() -> Any:
            return [self.lm.logprobs(c.prompts, [c.answers] * len(c.prompts)) for c in cases]

        return work, lambda found: [list(map(float, s.logprobs)) for case in found for s in case]

    def generation(self, rows: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
        """Texts behind common demonstrations."""
        texts = generation.prompts(rows)
        how = generation.Decoding(max_tokens=TOKENS)
        return lambda: self.lm.generate(texts, how), lambda found: [one.text for one in found]

    def episodes(self, count: int) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
        """Every method on every shape."""
        given, learners = episodes.features(), episodes.learners()
        every = np.full(episodes.CLASSES, episodes.EACH)
        engine = getattr(episodes, "answering", None) or episodes.engine
        drawn = {shape: episodes.draw(every, shape, 0, count, 0) for shape in episodes.SHAPES}

        def work() -> Any:
            return [
                engine.answer(learner, episodes.embed_all(learner, given), rows, shape)
                for learner in learners.values()
                for shape, rows in drawn.items()
            ]

        return work, lambda found: [answers.tolist() for answers in found]

    def measure(self, engine: str, size: int) -> dict[str, Any]:
        """One run of an engine."""
        if engine == "training":
            return self.training(size)
        work, told = getattr(self, engine)(size)
        start = time.perf_counter(), time.process_time()
        found = work()
        seconds, used = time.perf_counter() - start[0], time.process_time() - start[1]
        return {"seconds": seconds, "work": used, "answers": digest(told(found))}

    def training(self, rows: int) -> dict[str, Any]:
        """LoRA through the loop; its answer is the loss afterwards."""
        pairs = training.pairs(data_folder())[:rows]
        with self.lend(self.ref) as lent:
            module = training.adapted(lent, 0)
            seconds, used = training.ours(module, lent, pairs, EPOCHS, 0)
            loss = training.loss(module, training.encoded(pairs, lent.tokenizer), lent.device)
        return {"seconds": seconds, "work": used, "answers": digest(loss)}


def digest(value: object) -> str:
    """Equal where the answers are, to the bit."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def main() -> None:
    """Answer line by line; what libraries print goes where errors go."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        side = Side()
        for text in sys.stdin:
            given = json.loads(text)
            print(json.dumps(side.measure(**given)), file=answers, flush=True)


if __name__ == "__main__":
    main()
