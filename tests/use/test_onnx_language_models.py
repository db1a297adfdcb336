"""A language model as an ONNX graph with its cache: the graph, its program, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nshot.core.errors import InputError
from nshot.core.types import Input, Label, ModelRef, Task
from nshot.models import open_models
from nshot.predictors.checks import write_checks
from nshot.predictors.folder import read
from nshot.predictors.prompted import Prompted
from nshot.use.export import export_of, onnx_answer
from nshot.use.export.onnx_lm import PROGRAM
from nshot.use.export.onnx_lm_graph import GRAPH, WEIGHTS, why_no_graph, write_graph
from nshot.use.exporting import export
from tiny import tiny_llama

TASK = Task("films", "classify", (Label("positive"), Label("로그인"), Label("neg")))
TEXTS = ("a warm and funny film", "로그인이 안 돼요", "a dull\n\nand lifeless film", "funny " * 90)
SIZES = {
    "vocab_size": 320, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 96,
}  # fmt: skip
STRETCHED = {
    "rope_type": "llama3", "rope_theta": 1e4, "factor": 4.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {"attention_bias": True, "mlp_bias": True, "rope_parameters": STRETCHED},
    "mistral": {"sliding_window": None, "tie_word_embeddings": False},
    "qwen2": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 16},
}


def inputs(texts: tuple[str, ...] = TEXTS) -> list[Input]:
    return [Input((("text", text),)) for text in texts]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("base") / "model", context=192)


@pytest.fixture(scope="module")
def folder(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delivered prompt as a chat."""
    place = tmp_path_factory.mktemp("films")
    predictor = Prompted(TASK, open_models(), ModelRef("hf", str(base)), "chat", offsets=(0, 1, 0))
    predictor.save(place)
    write_checks(place, predictor.predict, inputs())
    return place


def module_of(family: str) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(family, **SIZES, **FAMILIES[family])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return module


@pytest.mark.parametrize("family", FAMILIES)
def test_a_graph_with_a_cache_gives_the_logits_of_one_pass(family: str, tmp_path: Path) -> None:
    import onnxruntime

    module = module_of(family)
    shape = write_graph(module, tmp_path)
    session = onnxruntime.InferenceSession(str(tmp_path / GRAPH))
    names = [one.name for one in session.get_inputs()]
    empty = [np.zeros((3, shape.heads, 0, shape.width), np.float32)] * (len(names) - 1)
    ids = np.random.default_rng(0).integers(0, SIZES["vocab_size"], (3, 50))
    parts, past = [], empty
    for some in (ids[:, :30], ids[:, 30:31], ids[:, 31:]):
        logits, *past = session.run(None, dict(zip(names, [some, *past], strict=True)))
        parts.append(logits)
    whole = module(torch.tensor(ids)).logits.numpy()
    assert whole.std() > 0.1, "logits that are all alike show nothing"
    assert np.abs(np.concatenate(parts, axis=1) - whole).max() < 1e-4
    assert past[0].shape == (3, SIZES["num_key_value_heads"], 50, shape.width)


def test_what_the_graph_does_not_have_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    from transformers import GemmaConfig, LlamaConfig, MistralConfig

    assert "family gemma" in (why_no_graph(GemmaConfig(**SIZES)) or "")
    assert "gelu" in (why_no_graph(LlamaConfig(**SIZES, hidden_act="gelu")) or "")
    windowed = MistralConfig(**SIZES, sliding_window=16)
    assert "a window" in (why_no_graph(windowed) or "")
    dynamic = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    assert "dynamic" in (why_no_graph(LlamaConfig(**SIZES, rope_parameters=dynamic)) or "")
    module = module_of("llama")
    module.config.hidden_act = "gelu"
    with pytest.raises(InputError, match="--to merged"):
        write_graph(module, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_compares_and_equal_folders_have_equal_bytes(
    folder: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        exported = export(folder, "onnx", tmp_path / name, open_models())
        assert (exported.checks, exported.differences) == (len(TEXTS), [])
    for file in (GRAPH, WEIGHTS, "graph.json", "asking.json", "tokenizer.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_program_needs_nothing_of_nshot(folder: Path, tmp_path: Path) -> None:
    export_of("onnx").write(read(folder), open_models(), _new(tmp_path / "into"))
    rows = "".join(json.dumps({"text": text, "no": 1}, ensure_ascii=False) + "\n" for text in TEXTS)
    watch = (
        "import runpy, sys\n"
        f"runpy.run_path({str(tmp_path / 'into' / PROGRAM)!r}, run_name='__main__')\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'nshot', 'torch', 'transformers'}))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", watch],
        input=rows.encode(), capture_output=True, check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    *lines, loaded = done.stdout.decode("utf-8").splitlines()
    answers = [json.loads(line) for line in lines]
    expected = Prompted.restore(read(folder), open_models()).predict(inputs())
    assert [one["answer"] for one in answers] == [one.answer for one in expected]
    moves = [
        np.abs(np.subtract(a["scores"], b.scores)).max()
        for a, b in zip(answers, expected, strict=True)
    ]
    assert max(moves) < 1e-4
    assert loaded == "[]"


def test_a_long_prompt_is_read_in_steps(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_of("onnx").write(read(folder), open_models(), _new(tmp_path / "into"))
    model = onnx_answer.Model(tmp_path / "into", 1)
    rows = [{"text": text} for text in TEXTS]
    at_once = model.predict(rows)
    monkeypatch.setattr(onnx_answer, "STEP", 7)
    monkeypatch.setattr(onnx_answer, "ROWS", 2)
    for one, other in zip(at_once, model.predict(rows), strict=True):
        assert one["answer"] == other["answer"]
        assert np.allclose(one["scores"], other["scores"], atol=1e-5)
    with pytest.raises(ValueError, match="no text"):
        model.predict([{"message": "?"}])


def test_a_template_that_strips_turns_is_filled_and_one_that_changes_them_is_refused(
    folder: Path, base: Path, tmp_path: Path
) -> None:
    template = base / "chat_template.jinja"
    before = template.read_text(encoding="utf-8")
    try:
        template.write_text(before.replace("m['content']", "m['content'] | trim"))
        exported = export(folder, "onnx", tmp_path / "stripped", open_models())
        assert exported.differences == []
        about = json.loads((tmp_path / "stripped" / "graph.json").read_text())
        assert about["strips"] is True
        template.write_text(before.replace("m['content']", "m['content'] | upper"))
        with pytest.raises(InputError, match="more with a turn"):
            export(folder, "onnx", tmp_path / "upper", open_models())
        assert not (tmp_path / "upper").exists()
    finally:
        template.write_text(before)


def test_another_program_in_the_folder_is_not_run(folder: Path, tmp_path: Path) -> None:
    export_of("onnx").write(read(folder), open_models(), _new(tmp_path / "into"))
    (tmp_path / "into" / PROGRAM).write_text("print('something else')")
    with pytest.raises(InputError, match="not the program that nshot writes"):
        export_of("onnx").answer(tmp_path / "into", inputs())


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder
