"""What nshot serves, asked by nshot's own engines for decision models: the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clients import TICKETS, TOKEN, head, serving

from house import fields
from nshot.core.types import ModelRef
from nshot.models import open_models
from nshot.predictors import load
from nshot.predictors.decided import Decided


@pytest.mark.parametrize("engine", ["systemone", "decisions"])
def test_a_served_folder_answers_typed_questions_as_it_answers_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("NSHOT_API_KEY", TOKEN)
    folder = head(tmp_path / "head")
    inputs = [fields(text=text) for text in ("money back", "the parcel is late", "계정 로그인", "")]
    here = load(folder, open_models()).predict(inputs)
    with serving([folder], tokens=[TOKEN]) as client:
        ref = ModelRef(engine, f"head@{client.url}/v1")
        there = Decided(TICKETS, open_models(), ref).predict(inputs)
    assert [one.answer for one in there] == [one.answer for one in here]
    for one, other in zip(here, there, strict=True):
        assert np.exp(other.scores) == pytest.approx(np.exp(one.scores), abs=1e-6)
        assert other.seconds is not None
        assert other.seconds > 0
