"""Vectors of texts: encoded once a run, charged to everyone, the same bytes for all."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nshot.core import machine
from nshot.core.errors import CannotAdapt
from nshot.core.types import Delta, ModelRef
from nshot.models.base import Encoder
from nshot.models.fake.fake_engine import FakeEncoder, FakeModels
from nshot.models.wrap import vector_files
from nshot.models.wrap.cached import CachedModels
from nshot.models.wrap.kept_vectors import WARM, KeptVectors

REF = ModelRef("fake", "encoder")
TEXTS = [f"text number {i} {'word ' * (i % 7)}" for i in range(40)]


class Slow(FakeEncoder):
    """Every token takes a second to encode and half of one to count, of a clock of its own."""

    bytes = 12345

    def __init__(self, asked: list[str]) -> None:
        super().__init__(REF)
        self._asked = asked

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self._asked += texts
        machine.saved(1.0 * sum(super().count(texts)))
        return super().encode(texts)

    def count(self, texts: Sequence[str]) -> list[int]:
        counts = super().count(texts)
        machine.saved(0.5 * sum(counts))
        return counts


class SlowModels(FakeModels):
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.opened = 0

    def encoder(self, ref: ModelRef) -> Encoder:
        self.opened += 1
        machine.saved(1000.0)  # loading
        return Slow(self.asked)

    @property
    def encoded(self) -> list[str]:
        return [text for text in self.asked if text != WARM]


def cold(texts: Sequence[str]) -> float:
    """Seconds of encoding and counting by `Slow`."""
    return 1.5 * sum(FakeEncoder(REF).count(texts))


def charged(models: KeptVectors | CachedModels, texts: Sequence[str]) -> tuple[float, bytes]:
    """What a meter reads when the texts are encoded and counted, and the vectors."""
    encoder, meter = models.encoder(REF), machine.Meter()
    with meter.running():
        vectors = encoder.encode(texts)
        counts = encoder.count(texts)
    assert counts == FakeEncoder(REF).count(texts)
    return meter.seconds, vectors.tobytes()


def test_the_second_asker_is_charged_what_the_first_was_and_encodes_nothing(
    tmp_path: Path,
) -> None:
    made, found = SlowModels(), SlowModels()
    first, vectors = charged(KeptVectors(made, tmp_path), TEXTS)
    again, same = charged(KeptVectors(found, tmp_path), TEXTS)
    assert first == pytest.approx(cold(TEXTS), abs=0.5), "and nothing for loading"
    assert again == pytest.approx(first, abs=0.5)
    assert same == vectors == FakeEncoder(REF).encode(TEXTS).tobytes()
    assert sorted(made.encoded) == sorted(TEXTS)
    assert (found.asked, found.opened) == ([], 0), "the encoder is not even loaded"


def test_whoever_asks_for_a_part_is_charged_for_that_part(tmp_path: Path) -> None:
    models = SlowModels()
    kept = KeptVectors(models, tmp_path)
    charged(kept, TEXTS[:10])
    seconds, vectors = charged(kept, [*TEXTS[5:15], TEXTS[5]])
    assert seconds == pytest.approx(cold([*TEXTS[5:15], TEXTS[5]]), abs=0.5)
    assert vectors == FakeEncoder(REF).encode([*TEXTS[5:15], TEXTS[5]]).tobytes()
    assert sorted(models.encoded) == sorted(TEXTS[:15])


def test_within_a_search_a_text_is_charged_once(tmp_path: Path) -> None:
    for kept in (KeptVectors(SlowModels(), tmp_path), KeptVectors(SlowModels(), tmp_path)):
        search = CachedModels(kept)
        folds = [charged(search, TEXTS[:30])[0], charged(search, TEXTS[10:])[0]]
        assert sum(folds) == pytest.approx(cold(TEXTS), abs=0.5), "cold, then warm"
        assert charged(search, TEXTS)[0] < 0.5


def test_other_packages_or_another_model_have_vectors_of_their_own(tmp_path: Path) -> None:
    charged(KeptVectors(SlowModels(), tmp_path, "torch 2.12"), TEXTS)
    other = SlowModels()
    charged(KeptVectors(other, tmp_path, "torch 2.13"), TEXTS)
    assert sorted(other.encoded) == sorted(TEXTS)


def test_a_tuned_encoder_is_asked_as_it_is(tmp_path: Path) -> None:
    tuned = ModelRef("fake", "encoder", deltas=(Delta("encoder", "somewhere", "ab"),))
    assert isinstance(KeptVectors(SlowModels(), tmp_path).encoder(tuned), Slow)
    assert isinstance(CachedModels(SlowModels()).encoder(tuned), Slow)


def test_no_text_has_a_width_all_the_same(tmp_path: Path) -> None:
    encoder = KeptVectors(SlowModels(), tmp_path).encoder(REF)
    assert encoder.encode([]).shape == FakeEncoder(REF).encode([]).shape
    assert encoder.count([]) == []


def test_what_has_no_weights_cannot_be_lent(tmp_path: Path) -> None:
    encoder = CachedModels(KeptVectors(SlowModels(), tmp_path)).encoder(REF)
    with pytest.raises(CannotAdapt, match="encoder has no weights to train"):
        encoder.lend()  # type: ignore[attr-defined]


def test_the_bytes_of_weights_are_known_though_they_are_not_loaded(tmp_path: Path) -> None:
    for _ in range(2):
        kept = KeptVectors(SlowModels(), tmp_path)
        charged(kept, TEXTS)
        assert kept.resident_bytes() == {"encoder": 12345}


def test_a_broken_file_counts_as_absent(tmp_path: Path) -> None:
    charged(KeptVectors(SlowModels(), tmp_path), TEXTS)
    (file,) = tmp_path.rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-7])
    again = SlowModels()
    assert (
        charged(KeptVectors(again, tmp_path), TEXTS)[1] == FakeEncoder(REF).encode(TEXTS).tobytes()
    )
    assert sorted(again.encoded) == sorted(TEXTS)
    assert charged(KeptVectors(SlowModels(), tmp_path), TEXTS[:3])[0] > 1


# ---------------------------------------------------------------- several at a time


def test_side_by_side_each_text_is_encoded_by_one_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_files, "PIECE", 5)
    made = [SlowModels() for _ in range(4)]
    results: list[bytes] = []

    def work(number: int) -> None:
        some = TEXTS[number:] + TEXTS[:number]
        vectors = KeptVectors(made[number], tmp_path).encoder(REF).encode(some)
        results.append(np.roll(vectors, number, axis=0).tobytes())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results == [FakeEncoder(REF).encode(TEXTS).tobytes()] * 4
    assert sorted(text for models in made for text in models.encoded) == sorted(TEXTS)


ADDS = """
import sys
from pathlib import Path
from nshot.core.types import ModelRef
from nshot.models.fake.fake_engine import FakeModels
from nshot.models.wrap import vector_files
from nshot.models.wrap.kept_vectors import KeptVectors
vector_files.PIECE = 3
encoder = KeptVectors(FakeModels(), Path(sys.argv[1])).encoder(ModelRef("fake", "encoder"))
encoder.encode([f"text {i}" for i in range(int(sys.argv[2]), int(sys.argv[2]) + 60)])
"""


def test_several_processes_add_without_loss(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ADDS, str(tmp_path)]
    started = [subprocess.Popen([*command, str(begin)]) for begin in (0, 20, 40)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    found = SlowModels()
    texts = [f"text {i}" for i in range(100)]
    _, vectors = charged(KeptVectors(found, tmp_path), texts)
    assert vectors == FakeEncoder(REF).encode(texts).tobytes()
    assert found.asked == []
    files = list(tmp_path.rglob("*.safetensors"))
    assert len(files) >= 100 / 3
    assert [path.name for path in tmp_path.rglob("claims/*")] == ["pause"]


def test_the_claims_of_a_process_that_died_are_free(tmp_path: Path) -> None:
    files = vector_files.VectorFiles(tmp_path)
    descriptor, path = _claim_of_a_dead_one(files)
    assert files.missing(TEXTS) == sorted(TEXTS, key=lambda text: (len(text), text))
    with files.claimed(TEXTS) as mine:
        assert sorted(mine) == sorted(TEXTS)
        with vector_files.VectorFiles(tmp_path)._alone():
            assert not path.exists()
    os.close(descriptor)


def _claim_of_a_dead_one(files: vector_files.VectorFiles) -> tuple[int, Path]:
    with files._alone():
        descriptor, path = files._claim(TEXTS)
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # what the system does when a process ends
    return descriptor, path


def test_who_waits_is_charged_nothing_for_it(tmp_path: Path) -> None:
    first, second = vector_files.VectorFiles(tmp_path), vector_files.VectorFiles(tmp_path)
    meter = machine.Meter()
    with first.claimed(TEXTS) as mine:
        assert len(mine) == len(TEXTS)
        waiting = threading.Timer(0.4, lambda: release.set())
        release = threading.Event()

        def wait() -> None:
            with meter.running(), second.claimed(TEXTS) as theirs:
                assert theirs == []

        thread = threading.Thread(target=wait)
        thread.start()
        waiting.start()
        release.wait()
    thread.join(10)
    assert not thread.is_alive()
    assert meter.seconds < 0.3
    assert meter.spent_seconds < 0.3
