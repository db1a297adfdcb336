from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_union

from nshot.core.errors import InputError
from nshot.core.types import Image, Input
from nshot.methods.trivial.tfidf_lr import TfIdfLR
from nshot.predictors import load
from nshot.predictors.features import NGRAMS, TfIdf, averaged
from nshot.predictors.label_head import LabelHead, products
from toys import QUESTIONS, TASK, Bench, ask, shots

TEXTS = [example.input.text for example in shots().labelled]


def test_rebuilt_from_terms_and_idf_it_equals_sklearns(tmp_path: Path) -> None:
    TfIdfLR().adapt(TASK, shots(), Bench(tmp_path)).save(tmp_path / "w")
    head = load(tmp_path / "w", Bench(tmp_path).models)
    assert isinstance(head, LabelHead)
    theirs = make_union(
        TfidfVectorizer(analyzer="word", ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True),
    ).fit(TEXTS)
    ours = head.source.read(QUESTIONS).matrix
    expected = theirs.transform([question.text for question in QUESTIONS])
    np.testing.assert_array_equal(ours.toarray(), expected.toarray())


def test_korean_words_are_met_again_under_other_particles() -> None:
    source = TfIdf.fit(["환불을 원해요", "카드가 없어요"])
    near, far = source.read([ask("환불은 언제"), ask("안녕")]).matrix.toarray()
    known = source.read([ask("환불을 원해요")]).matrix.toarray()[0]
    assert near @ known > 0.1
    assert far @ known == 0


def test_texts_without_any_word_leave_character_terms_or_none() -> None:
    assert TfIdf.fit(["?", "!"]).read([ask("?")]).matrix.shape[0] == 1
    assert TfIdf.fit_and_read(["?", "!"])[1].shape[0] == 2
    assert TfIdf.fit(["", ""]).read([ask("a"), ask("b")]).matrix.shape == (2, 0)


def test_pictures_of_one_input_count_as_their_mean() -> None:
    one, two, three = (Image(f"{n}.png", n) for n in ("a", "b", "c"))
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 3.0]], np.float32)
    inputs = [Input(images=(one,)), Input(images=(two, three))]
    np.testing.assert_array_equal(averaged(rows, inputs), [[1, 0], [0, 2]])
    with pytest.raises(InputError, match="input 1 has no picture"):
        averaged(rows, [Input(images=(one,)), Input()])


def test_a_row_is_answered_the_same_with_any_others() -> None:
    rng = np.random.default_rng(0)
    matrix, weights = rng.normal(size=(33, 384)), rng.normal(size=(384, 7))
    whole = products(matrix, weights)
    for start, stop in ((0, 1), (3, 5), (8, 24)):
        assert (products(matrix[start:stop], weights) == whole[start:stop]).all()


def test_texts_are_taken_apart_once_and_come_out_the_same_to_the_bit() -> None:
    texts = ["환불을 원해요 now", "카드가 없어요", "the card was not, not there", "was it now?"]
    source, matrix = TfIdf.fit_and_read(texts)
    again = source.read([ask(text) for text in texts]).matrix
    for kind, span in NGRAMS.items():
        theirs = TfidfVectorizer(analyzer=kind, ngram_range=span, sublinear_tf=True).fit(texts)
        assert source.terms[kind] == tuple(theirs.get_feature_names_out())
        assert (source.idf[kind] == theirs.idf_).all()
    for part in ("data", "indices", "indptr"):
        assert getattr(matrix, part).tobytes() == getattr(again, part).tobytes()


def test_the_last_inputs_are_kept_and_no_others() -> None:
    source = TfIdf.fit(["a b c", "a d"])
    one, other = [ask("a b")], [ask("a d")]
    kept = source.read(one).matrix
    assert source.read(one).matrix is kept
    assert source.read(other).matrix is not kept
    assert source.read(one).matrix is not kept
