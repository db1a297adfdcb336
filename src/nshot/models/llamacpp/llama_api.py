"""The part of llama.cpp's C API (llama.h) that nshot calls, in the library that xllamacpp brings.

The package's own interface is a server, which tells how probable the tokens are that it wrote
itself. To score given answers takes the logits, and these the library gives. It is loaded without
importing the package. Structs are passed by value, so that their layout must be the one below: it
is compared with the defaults that the library fills in before anything is loaded.
"""

from __future__ import annotations

import ctypes
import importlib.util
import threading
from collections.abc import Callable, Mapping
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int8, c_int32, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p as Pointer
from functools import lru_cache
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, InputError, ModelNotFound

EXTRA = "pip install 'nshot[llamacpp]'"
CONTROL, USER_DEFINED = 1 << 3, 1 << 4
"""Attributes of a token: one that no text may spell, one that a text may."""
_ERROR = 4
_LINES = 4


class ModelParams(ctypes.Structure):
    """How a file is read, as the library's defaults have it; `vocab_only` leaves the weights."""

    _fields_ = (
        ("before", c_uint64 * 9),
        ("vocab_only", c_bool),
        ("behind", c_int8 * 55),
    )


class ContextParams(ctypes.Structure):
    """How a model is asked: sizes, threads, and whether all sequences share one memory."""

    _fields_ = (
        ("n_ctx", c_uint32),
        ("n_batch", c_uint32),
        ("n_ubatch", c_uint32),
        ("n_seq_max", c_uint32),
        ("n_rs_seq", c_uint32),
        ("n_outputs_max", c_uint32),
        ("n_outputs_max_per_seq", c_uint32),
        ("n_threads", c_int32),
        ("n_threads_batch", c_int32),
        ("ctx_type", c_int32),
        ("rope_scaling_type", c_int32),
        ("pooling_type", c_int32),
        ("attention_type", c_int32),
        ("flash_attn_type", c_int32),
        ("rope_freq", c_float * 2),
        ("yarn", c_float * 4),
        ("yarn_orig_ctx", c_uint32),
        ("defrag_thold", c_float),
        ("callbacks", c_uint64 * 2),
        ("type_k", c_int32),
        ("type_v", c_int32),
        ("abort", c_uint64 * 3),
        ("embeddings", c_bool),
        ("offload_kqv", c_bool),
        ("no_perf", c_bool),
        ("op_offload", c_bool),
        ("swa_full", c_bool),
        ("kv_unified", c_bool),
        ("behind", c_int8 * 90),
    )


_DEFAULTS: Mapping[str, Any] = {
    "n_ctx": 512, "n_batch": 2048, "n_ubatch": 512, "n_seq_max": 1, "n_rs_seq": 0,
    "n_outputs_max": 0, "n_outputs_max_per_seq": 1, "n_threads": 4, "n_threads_batch": 4,
    "ctx_type": 0, "rope_scaling_type": -1, "pooling_type": -1, "attention_type": -1,
    "flash_attn_type": -1, "yarn_orig_ctx": 0, "defrag_thold": -1.0, "type_k": 1, "type_v": 1,
    "embeddings": False, "offload_kqv": True, "no_perf": True, "op_offload": True,
    "swa_full": True, "kv_unified": False,
}  # fmt: skip


class Batch(ctypes.Structure):
    """Tokens to read: of each its position, its sequences, and whether its logits are wanted."""

    _fields_ = (
        ("n_tokens", c_int32),
        ("token", Pointer),
        ("embd", Pointer),
        ("pos", Pointer),
        ("n_seq_id", Pointer),
        ("seq_id", Pointer),
        ("logits", Pointer),
    )


_Log = ctypes.CFUNCTYPE(None, ctypes.c_int, c_char_p, Pointer)
_FUNCTIONS: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "llama_backend_init": (None, ()),
    "llama_log_set": (None, (_Log, Pointer)),
    "llama_model_default_params": (ModelParams, ()),
    "llama_context_default_params": (ContextParams, ()),
    "llama_model_load_from_file": (Pointer, (c_char_p, ModelParams)),
    "llama_model_free": (None, (Pointer,)),
    "llama_init_from_model": (Pointer, (Pointer, ContextParams)),
    "llama_free": (None, (Pointer,)),
    "llama_model_get_vocab": (Pointer, (Pointer,)),
    "llama_model_n_ctx_train": (c_int32, (Pointer,)),
    "llama_model_n_layer": (c_int32, (Pointer,)),
    "llama_model_n_params": (c_uint64, (Pointer,)),
    "llama_model_size": (c_uint64, (Pointer,)),
    "llama_model_has_encoder": (c_bool, (Pointer,)),
    "llama_model_meta_val_str": (c_int32, (Pointer, c_char_p, c_char_p, c_size_t)),
    "llama_model_chat_template": (c_char_p, (Pointer, c_char_p)),
    "llama_vocab_n_tokens": (c_int32, (Pointer,)),
    "llama_vocab_bos": (c_int32, (Pointer,)),
    "llama_vocab_eos": (c_int32, (Pointer,)),
    "llama_vocab_pad": (c_int32, (Pointer,)),
    "llama_vocab_is_eog": (c_bool, (Pointer, c_int32)),
    "llama_vocab_get_attr": (ctypes.c_int, (Pointer, c_int32)),
    "llama_tokenize": (
        c_int32,
        (Pointer, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool),
    ),
    "llama_token_to_piece": (c_int32, (Pointer, c_int32, c_char_p, c_int32, c_int32, c_bool)),
    "llama_get_memory": (Pointer, (Pointer,)),
    "llama_memory_clear": (None, (Pointer, c_bool)),
    "llama_memory_seq_rm": (c_bool, (Pointer, c_int32, c_int32, c_int32)),
    "llama_memory_seq_cp": (None, (Pointer, c_int32, c_int32, c_int32, c_int32)),
    "llama_decode": (c_int32, (Pointer, Batch)),
    "llama_get_logits_ith": (POINTER(c_float), (Pointer, c_int32)),
    "llama_get_embeddings_seq": (POINTER(c_float), (Pointer, c_int32)),
}


class _Heard:
    """The last lines that the library logged as errors: they say why it gave nothing."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.lock = threading.RLock()
        self.callback = _Log(self._hear)

    def _hear(self, level: int, text: bytes | None, _: Any) -> None:
        if level == _ERROR and text:
            self.lines = [*self.lines, text.decode("utf-8", "replace").strip()][-_LINES:]


_heard = _Heard()


def missing_runtime() -> Fault | None:
    """What to install before a GGUF file can be asked; None where all is there. Loads nothing."""
    if _file() is not None:
        return None
    problem = "GGUF files are read by llama.cpp, and its package xllamacpp is not installed"
    return Fault(problem, do=EXTRA)


@lru_cache(maxsize=1)
def library() -> Any:
    """The library, its functions typed.

    Raises `ModelNotFound` where it is not installed and `InputError` for one of another layout.
    """
    if (missing := missing_runtime()) is not None:
        raise ModelNotFound(missing)
    try:
        loaded = ctypes.CDLL(str(_file()))
        for name, (gives, takes) in _FUNCTIONS.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = gives, takes
    except (OSError, AttributeError) as error:
        raise InputError(_other(f"it cannot be loaded: {error}")) from error
    loaded.llama_log_set(_heard.callback, None)
    defaults = loaded.llama_context_default_params()
    if wrong := [name for name, value in _DEFAULTS.items() if getattr(defaults, name) != value]:
        raise InputError(_other(f"its settings lie elsewhere ({wrong[0]})"))
    loaded.llama_backend_init()
    return loaded


def load(path: Path, weights: bool = True) -> int:
    """Open a GGUF file: the address of the model, for `llama_model_free`.

    Raises `InputError`, in llama.cpp's own words, for what it cannot read: another architecture
    than those it knows, a file cut short. Without `weights` only the header is read.
    """
    lib = library()
    params = lib.llama_model_default_params()
    params.vocab_only = not weights
    return address_of(lambda: lib.llama_model_load_from_file(str(path).encode(), params), path)


def address_of(ask: Callable[[], int | None], path: Path) -> int:
    """An address that llama.cpp gives, or why it gives none."""
    with _heard.lock:
        _heard.lines = []
        address = ask()
        if address:
            return int(address)
        reason = "; ".join(dict.fromkeys(_heard.lines)) or "it says nothing of why"
    raise InputError(
        Fault(
            f"llama.cpp cannot open this model: {' '.join(reason.split())[:400]}",
            expected="a whole GGUF file of an architecture that llama.cpp knows",
            do="copy the file again, or write it anew: nshot gguf MODEL --out FOLDER",
            where=str(path),
        )
    )


def _file() -> Path | None:
    """Where the library lies in the package, which is not imported."""
    spec = importlib.util.find_spec("xllamacpp")
    places = (spec.submodule_search_locations or []) if spec else []
    files = (file for place in places for file in sorted(Path(place).glob("xllamacpp*.so")))
    return next(files, None)


def _other(problem: str) -> Fault:
    return Fault(
        f"this xllamacpp cannot be used: {problem}", "the release that nshot is written for", EXTRA
    )
