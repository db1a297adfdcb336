"""A quantised sentence encoder gives the encoder's vectors, through llama.cpp."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders import tiny_encoder
from full_disk import room
from nshot.cli.main import main
from nshot.core.errors import DiskFull, InputError
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.models.llamacpp.write_gguf import BITS
from nshot.use.gguf import write_vectors

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")

TEXTS = ["a warm film", "지루하다 😀", "", "word " * 200, "a warm film"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("tiny") / "encoder", width=64)


def test_vectors_are_the_encoders_and_each_text_is_read_alone(folder: Path, tmp_path: Path) -> None:
    known = open_models().encoder(resolve(str(folder), "encoder"))
    theirs, lowest = known.encode(TEXTS), []
    for bits in BITS:
        one = write_vectors(str(folder), bits, tmp_path / bits)
        ours = open_models().encoder(resolve(str(tmp_path / bits), "encoder"))
        vectors = ours.encode(TEXTS)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert ours.count(TEXTS) == known.count(TEXTS)
        alone = np.concatenate([ours.encode([text]) for text in TEXTS])
        assert vectors.tobytes() == alone.tobytes()
        lowest.append(float((vectors * theirs).sum(axis=1).min()))
        assert one.bytes < one.bytes_before
    assert lowest[0] > 0.9999
    assert lowest == sorted(lowest, reverse=True)


def test_a_disk_that_fills_leaves_no_folder(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match=r"model\.gguf"), room(20_000):
        write_vectors(str(folder), "F16", tmp_path / "small")
    assert not list(tmp_path.iterdir())


def test_the_command_says_how_near_it_is(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["gguf", str(folder), "--bits", "Q8_0", "--out", str(tmp_path / "small")])
    out = capsys.readouterr().out
    assert end.value.code == 0, out
    assert "cosine with the encoder's own vectors at least 0.99" in out
    (tmp_path / "small" / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="copy the whole folder again"):
        open_models().encoder(resolve(str(tmp_path / "small"), "encoder"))
    with pytest.raises(InputError, match="Q8_0"):
        write_vectors(str(folder), "Q3_K", tmp_path / "other")  # type: ignore[arg-type]
