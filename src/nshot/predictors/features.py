"""Where features come from: counted n-grams, an encoder, a language model's hidden states.

Each row of features depends on its own input only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.types import Input, ModelRef, Task
from nshot.models.base import Floats, Models
from nshot.predictors.folder import Arrays, Saved, array, ref_from_json, ref_to_json
from nshot.prompts.render import Format, render

Pooling: TypeAlias = Literal["last", "mean"]

NGRAMS: Mapping[str, tuple[int, int]] = {"word": (1, 2), "char_wb": (2, 4)}
"""Words and pairs of words; and, within words, two to four characters: no tokeniser is needed for
Korean, whose words carry their particles with them."""
TERMS = 50_000
"""Most frequent terms kept of each kind."""


@dataclass(frozen=True)
class Features:
    """(inputs, width) float array or CSR matrix, and the tokens read of each input."""

    matrix: Any
    tokens_in: tuple[int, ...]


class Source(Protocol):
    """Turns inputs into features."""

    def read(self, inputs: Sequence[Input]) -> Features:
        """One row of features per input."""
        ...

    def settings(self, folder: Path) -> dict[str, Any]:
        """What `source_from` needs to make it again, as JSON; may put files into `folder`."""
        ...

    def arrays(self) -> Arrays:
        """Its arrays, by names that begin with ``source.``."""
        ...


@dataclass(frozen=True)
class TfIdf:
    """Term frequency (1 + log) times inverse document frequency of word and character n-grams.

    `terms` and `idf` per kind of n-gram in `NGRAMS`; each kind's part of a row has unit length.
    """

    terms: Mapping[str, tuple[str, ...]]
    idf: Mapping[str, Floats]

    @classmethod
    def fit(cls, texts: Sequence[str]) -> TfIdf:
        """Count the terms of `texts`, as scikit-learn's TfidfVectorizer does."""
        return cls.fit_and_read(texts)[0]

    @classmethod
    def fit_and_read(cls, texts: Sequence[str]) -> tuple[TfIdf, Any]:
        """The same, and the features of these texts, to the bit as `read` has them.

        To take a text apart is most of the work: here it is done once.
        """
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        terms: dict[str, tuple[str, ...]] = {}
        idf: dict[str, Floats] = {}
        parts = []
        for analyzer, span in NGRAMS.items():
            counter = CountVectorizer(
                analyzer=analyzer, ngram_range=span, max_features=TERMS, dtype=np.float64
            )
            try:
                counts = counter.fit_transform(texts)
            except ValueError:  # No text has a term of this kind ("?" has no word).
                terms[analyzer], idf[analyzer] = (), np.zeros(0)
                continue
            counts.sort_indices()  # the order in which a row is summed decides the last bit
            weigher = TfidfTransformer(sublinear_tf=True).fit(counts)
            parts.append(weigher.transform(counts))
            terms[analyzer] = tuple(counter.get_feature_names_out().tolist())
            idf[analyzer] = np.asarray(weigher.idf_, dtype=np.float64)
        return cls(terms, idf), _side_by_side(len(texts), parts)

    def read(self, inputs: Sequence[Input]) -> Features:
        """(inputs, terms) CSR matrix; no tokens of any model are read.

        The last one is kept: a search asks heads on the same terms about the same inputs.
        """
        texts = tuple(input.text for input in inputs)
        matrix = self._last.get(texts)
        if matrix is None:
            parts = [vectorizer.transform(texts) for vectorizer in self._vectorizers]
            matrix = _side_by_side(len(texts), parts)
            self._last.clear()
            self._last[texts] = matrix
        return Features(matrix, (0,) * len(texts))

    @cached_property
    def _last(self) -> dict[tuple[str, ...], Any]:
        return {}

    def settings(self, folder: Path) -> dict[str, Any]:
        """The terms, in the order of the columns."""
        return {"source": "tfidf", "terms": {kind: list(t) for kind, t in self.terms.items()}}

    def arrays(self) -> Arrays:
        """The inverse document frequencies of each kind."""
        return {f"source.idf.{kind}": idf for kind, idf in self.idf.items()}

    @cached_property
    def _vectorizers(self) -> list[Any]:
        made = []
        for kind in NGRAMS:
            if self.terms[kind]:
                vectorizer = _vectorizer(kind, self.terms[kind])
                vectorizer.idf_ = self.idf[kind]
                made.append(vectorizer)
        return made


def _side_by_side(rows: int, parts: Sequence[Any]) -> Any:
    """A CSR matrix of so many rows; without a column where there is no part."""
    from scipy.sparse import csr_matrix, hstack

    return hstack([csr_matrix((rows, 0)), *parts], format="csr")


def _vectorizer(analyzer: str, terms: tuple[str, ...]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        analyzer=analyzer,
        ngram_range=NGRAMS[analyzer],
        sublinear_tf=True,
        vocabulary={term: i for i, term in enumerate(terms)},
    )


@dataclass(frozen=True)
class Encoded:
    """An encoder's vectors of unit length: of all the texts of an input together, or its pictures.

    `ref` is a sentence encoder, or an image network where the inputs are pictures; those of one
    input count as their mean.
    """

    models: Models
    ref: ModelRef

    def read(self, inputs: Sequence[Input]) -> Features:
        """(inputs, width) float32."""
        if any(input.images for input in inputs):
            return Features(self._pictures(inputs), (0,) * len(inputs))
        encoder = self.models.encoder(self.ref)
        texts = [input.text for input in inputs]
        return Features(encoder.encode(texts), tuple(encoder.count(texts)))

    def _pictures(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        """(inputs, width); raises `InputError` for an input without any picture."""
        vectors = self.models.pictures(self.ref).encode([i for one in inputs for i in one.images])
        return averaged(vectors, inputs)

    def settings(self, folder: Path) -> dict[str, Any]:
        """Which encoder."""
        return {"source": "encoded", "ref": ref_to_json(self.ref, folder)}

    def arrays(self) -> Arrays:
        """None: the encoder's weights are the encoder's."""
        return {}


def averaged(rows: NDArray[np.float32], inputs: Sequence[Input]) -> NDArray[np.float32]:
    """(inputs, width) means of the `rows` of each input's pictures, which follow one another.

    Raises `InputError` for an input without any picture.
    """
    counts = [len(input.images) for input in inputs]
    if 0 in counts:
        raise InputError(Fault(f"input {counts.index(0)} has no picture", "a picture in each"))
    ends = np.cumsum(counts)[:-1]
    parts = [part.mean(axis=0) for part in np.split(rows, ends)]
    return np.stack(parts) if parts else rows


@dataclass(frozen=True)
class HiddenStates:
    """A language model's hidden states while it reads the prompt that asks the input.

    `layer` counts blocks from 1; ``last`` is the state at the prompt's last token, where the model
    is about to answer, ``mean`` the mean over all tokens.
    """

    task: Task
    models: Models
    ref: ModelRef
    layer: int
    pooling: Pooling
    format: Format = "plain"

    def read(self, inputs: Sequence[Input]) -> Features:
        """(inputs, width) float32."""
        prompts = [render(self.task, self.format, input) for input in inputs]
        hidden = self.models.open(self.ref).hidden(prompts, [self.layer])
        states = hidden.last if self.pooling == "last" else hidden.mean
        return Features(states[:, 0, :], hidden.tokens_in)

    def settings(self, folder: Path) -> dict[str, Any]:
        """Which model, which block, which pooling, which format of the prompt."""
        return {
            "source": "hidden",
            "ref": ref_to_json(self.ref, folder),
            "layer": self.layer,
            "pooling": self.pooling,
            "format": self.format,
        }

    def arrays(self) -> Arrays:
        """None: the model's weights are the model's."""
        return {}


def source_from(saved: Saved, models: Models) -> Source:
    """The source that a saved predictor names; `InputError` for an unknown one."""
    data = saved.settings["source"]
    match data["source"]:
        case "tfidf":
            terms = {kind: tuple(data["terms"][kind]) for kind in NGRAMS}
            return TfIdf(terms, {kind: array(saved, f"source.idf.{kind}") for kind in NGRAMS})
        case "encoded":
            return Encoded(models, ref_from_json(data["ref"], saved.folder))
        case "hidden":
            ref = ref_from_json(data["ref"], saved.folder)
            format = data.get("format", "plain")  # folders of before have none
            return HiddenStates(saved.task, models, ref, data["layer"], data["pooling"], format)
    raise InputError(
        Fault(
            f"unknown source of features '{data['source']}'",
            expected="tfidf, encoded or hidden",
            where=str(saved.folder),
        )
    )
