"""Known sets of biases against lm-eval 0.4.13, item by item, on a random Llama of two layers.

    .bench/venv/bin/python benchmarks/bias_parity.py [--rows 60] [--write]

lm-eval's own model class scores the same rows, by the prompts, answers and functions of its tasks
``crows_pairs_english``, ``winogender`` and ``bbq``; its rows come from a hub, ours from the folders
of the data sets, so that each of our rows is given the form that its functions read. Compared are
the log-likelihood of every answer, what each row counts as, and the figures. StereoSet and WinoBias
are no tasks of lm-eval's: they are held to formulas by hand in tests/audit/test_known_sets.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import peers
from nshot.audit.sets.bbq import BBQ, Item
from nshot.audit.sets.crows_pairs import CrowsPairs
from nshot.audit.sets.known_set import sample
from nshot.audit.sets.winogender import Winogender
from nshot.core.types import ModelRef
from nshot.models import open_models
from table import data_folder, line, write

GOAL = 1e-6
"""Share of a log-likelihood by which two ways to compute it in 32 bits may lie apart."""


@dataclass(frozen=True)
class Compared:
    """A set: rows, answers, the widest gap as a share, rows that count differently, figures."""

    name: str
    rows: int
    answers: int
    gap: float
    differ: int
    figures: dict[str, tuple[float, float]]

    @property
    def holds(self) -> bool:
        return (
            self.gap <= GOAL
            and self.differ == 0
            and all(abs(a - b) <= 1e-9 for a, b in self.figures.values())
        )


def random_model(folder: Path) -> Path:
    """A random Llama that reads bytes, and texts behind a start token."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<start>", "<end>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    core.train_from_iterator(["the man told the woman that he was late and she left"], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<start>", eos_token="<end>", pad_token="<end>"
    )
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=1024,
        initializer_range=0.5, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def functions_of(task: str) -> Any:
    """The module of a task's functions, in lm-eval's package."""
    import lm_eval

    path = Path(lm_eval.__file__).parent / "tasks" / task / "utils.py"
    spec = importlib.util.spec_from_file_location(f"lm_eval_{task}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peer_scores(
    peer: Any, prompts: Sequence[str], answers: Sequence[Sequence[str]]
) -> list[list[tuple[float, bool]]]:
    """Of each prompt lm-eval's log-likelihood of each answer, and whether it is the greedy one."""
    instance = peers.lm_eval().Instance
    requests = [
        instance("loglikelihood", {}, (prompt, answer), 0)
        for prompt, given in zip(prompts, answers, strict=True)
        for answer in given
    ]
    flat = iter(peer.loglikelihood(requests, disable_tqdm=True))
    return [[next(flat) for _ in given] for given in answers]


def values(results: Sequence[Sequence[tuple[float, bool]]]) -> np.ndarray:
    return np.array([[one for one, _ in row] for row in results])


def crows_pairs(model: Any, peer: Any, most: int) -> Compared:
    set_ = CrowsPairs()
    rows = sample(set_.read(data_folder() / "crows_pairs"), set_.group, most)
    utils = functions_of("crows_pairs")
    docs = [{"sent_more": row.sent_more, "sent_less": row.sent_less} for row in rows]
    theirs = peer_scores(peer, [""] * len(rows), [utils.doc_to_choice(doc) for doc in docs])
    counted = [utils.process_results(doc, got) for doc, got in zip(docs, theirs, strict=True)]
    scores = set_.scores(model, rows)
    key = "pct_stereotype" if "pct_stereotype" in counted[0] else "acc"
    ours = scores[:, 0] > scores[:, 1]
    differ = sum(bool(one[key]) != bool(own) for one, own in zip(counted, ours, strict=True))
    figures = {figure.name: figure.value for figure in set_.figures(rows, scores)[:1]}
    return Compared(
        set_.name, len(rows), scores.size, gap(scores, values(theirs)), differ,
        {"pct_stereotype": (figures["prefers the stereotype"],
                            float(np.mean([one[key] for one in counted])))},
    )  # fmt: skip


def winogender(model: Any, peer: Any, most: int) -> Compared:
    set_ = Winogender()
    rows = sample(set_.read(data_folder() / "winogender"), set_.group, most // 3)
    prompts, answers, targets = [], [], []
    for row in rows:
        for one in row.lines:
            prompts.append(f"{one.sentence} ‘{_pronoun(one).capitalize()}’ refers to the")
            answers.append([f" {one.occupation}", f" {one.participant}"])
            targets.append(one.answer)
    theirs = values(peer_scores(peer, prompts, answers))
    right = theirs.argmax(axis=1) == np.array(targets)
    scores = set_.scores(model, rows)
    own = (scores.reshape(-1, 2).argmax(axis=1)) == np.array(targets)
    accuracies = [f.value for f in set_.figures(rows, scores) if f.name == "accuracy"]
    return Compared(
        set_.name, len(prompts), scores.size, gap(scores.reshape(-1, 2), theirs),
        int((right != own).sum()), {"acc": (float(np.mean(accuracies)), float(right.mean()))},
    )  # fmt: skip


def _pronoun(one: Any) -> str:
    """lm-eval reads it from a column; here it is what differs between the three sentences."""
    words = {"male": ("he", "him", "his"), "female": ("she", "her", "hers"),
             "neutral": ("they", "them", "their")}[one.gender]  # fmt: skip
    plain = "".join(sign if sign.isalpha() else " " for sign in one.sentence.lower())
    return next(word for word in plain.split() if word in words)


def bbq(model: Any, peer: Any, most: int) -> Compared:
    """The row's own three answers, through lm-eval's functions for counts and bias scores."""
    set_ = BBQ()
    rows = sample(set_.read(data_folder() / "bbq"), set_.group, most)
    utils = functions_of("bbq")
    prompts = [f"{row.context}\n\nQ: {row.question}\nA:" for row in rows]
    theirs = values(peer_scores(peer, prompts, [[f" {a}" for a in row.answers] for row in rows]))
    scores = set_.scores(model, rows)
    counts = [
        _counted(utils, row, int(got.argmax())) for row, got in zip(rows, theirs, strict=True)
    ]
    own = scores.argmax(axis=1)
    differ = int((own != theirs.argmax(axis=1)).sum())
    figures = {
        (figure.name, figure.category): figure.value for figure in set_.figures(rows, scores)
    }
    return Compared(set_.name, len(rows), scores.size, gap(scores, theirs), differ, {
        "amb_bias_score": (figures["s_AMB", "all"],
                           float(utils.agg_amb_bias_scores([c["amb_bias_score"] for c in counts]))),
        "disamb_bias_score": (
            figures["s_DIS", "all"],
            float(utils.agg_disamb_bias_scores([c["disamb_bias_score"] for c in counts]))),
        "accuracy_amb": (figures["accuracy, ambiguous", "all"],
                         float(utils.agg_accuracy_amb([c["accuracy_amb"] for c in counts]))),
        "accuracy_disamb": (
            figures["accuracy, disambiguated", "all"],
            float(utils.agg_accuracy_disamb([c["accuracy_disamb"] for c in counts]))),
    })  # fmt: skip


def _counted(utils: Any, row: Item, answer: int) -> dict[str, Any]:
    """What lm-eval counts for an answer, in the order of its own choices."""
    doc = {
        "context_condition": row.condition,
        "question_polarity": row.polarity,
        "category": row.category,
        "label": row.label,
        "answer_info": {
            f"ans{place}": [row.answers[place], row.groups[place]] for place in range(3)
        },
        "additional_metadata": {"stereotyped_groups": list(row.stereotyped_groups)},
        **{f"ans{place}": row.answers[place] for place in range(3)},
    }
    doc["biased_answers"] = [row.answers[row.biased]]
    choices = utils.doc_to_choice(doc)
    return utils._process_results(doc, choices.index(row.answers[answer]))


def gap(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float((np.abs(ours - theirs) / np.abs(theirs)).max())


def table(results: Sequence[Compared]) -> str:
    heads = ["set", "rows", "answers scored", "widest gap, as a share"]
    heads += ["rows that count differently", "figures, nshot / lm-eval", ""]
    lines = [line(*heads), "|---|--:|--:|--:|--:|---|---|"]
    for one in results:
        figures = "; ".join(f"{n} {a:.4f} / {b:.4f}" for n, (a, b) in one.figures.items())
        lines.append(
            line(one.name, str(one.rows), str(one.answers), f"{one.gap:.1e}", str(one.differ),
                 figures, "holds" if one.holds else "**differs**")
        )  # fmt: skip
    return "\n".join(lines)


SETS: tuple[Callable[[Any, Any, int], Compared], ...] = (crows_pairs, winogender, bbq)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        path = random_model(Path(folder) / "model")
        model = open_models().open(ModelRef("hf", str(path)))
        peer = peers.lm_eval().HFLM(
            pretrained=AutoModelForCausalLM.from_pretrained(path),
            tokenizer=AutoTokenizer.from_pretrained(path),
            batch_size=1,
        )
        results = [compare(model, peer, arguments.rows) for compare in SETS]
    text = table(results)
    print(text)
    if arguments.write:
        write("bias_parity.py", text)
    if not all(one.holds for one in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
