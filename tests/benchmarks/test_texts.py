"""What table-to-text is judged by, against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from texts import bleu, bleu_counts, coverage, rouge_l, slots

RECORD = "name[The Punter], food[Indian], priceRange[£20-25], familyFriendly[yes], near[Café Rouge]"


def test_bleu_is_that_of_the_paper() -> None:
    the = bleu_counts("the the the the the the the", ["The cat is on the mat", "There is a cat"])
    assert (the[0], the[4]) == (2, 7), "clipped: 2/7 in section 2.1"
    counts = bleu_counts("a b c d e x", ["a b c d e f"])
    precisions = [5 / 6, 4 / 5, 3 / 4, 2 / 3]
    assert bleu(counts) == pytest.approx(math.prod(precisions) ** 0.25)
    short = bleu_counts("a b c d", ["a b c d e f"])
    assert bleu(short) == pytest.approx(math.exp(1 - 6 / 4))
    assert bleu(bleu_counts("a b c", ["a b c"])) == 0, "no 4-gram"
    assert bleu(np.zeros(10)) == 0


def test_bleu_of_a_corpus_is_not_the_mean_of_its_texts() -> None:
    parts = [bleu_counts("a b c d", ["a b c d"]), bleu_counts("x", ["a b c d"])]
    assert 0.5 < bleu(np.sum(parts, axis=0)) < 1


def test_the_nearest_reference_gives_the_length() -> None:
    assert bleu_counts("a b c", ["a b c d e", "a b"])[9] == 2
    assert bleu_counts("a b c", ["a b", "a b c d"])[9] == 2, "the shorter of two equally near"


def test_rouge_l_is_the_longest_common_subsequence() -> None:
    assert rouge_l("police kill the gunman", ["police killed the gunman"]) == pytest.approx(0.75)
    assert rouge_l("a b", ["x", "b a"]) == pytest.approx(0.5)
    assert rouge_l("", ["a"]) == 0


def test_slots_are_covered_in_these_very_words() -> None:
    assert slots(RECORD)["priceRange"] == "£20-25"
    text = "The Punter, near Café Rouge, serves Indians and costs £20-25."
    assert coverage(RECORD, text) == pytest.approx(3 / 5), "Indians is not Indian"
    assert coverage(RECORD, f"{text} Indian food, and kids are welcome.") == 1
    assert coverage("area[riverside]", "near the river") == 0
