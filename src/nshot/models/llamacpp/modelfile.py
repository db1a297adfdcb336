"""The Modelfile that Ollama makes a model of: template, stop tokens, the prompt of the system."""

from __future__ import annotations

import re
from typing import Any

_CHATML = (
    '{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}'
    '{{ if .Prompt }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n{{ end }}'
    '<|im_start|>assistant\n{{ .Response }}<|im_end|>\n'
)  # fmt: skip
_TURNS = (
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "서울?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "Why?"},
)
_DEFAULT = re.compile(r"<\|im_start\|>system\n(.*?)<\|im_end\|>\n", re.DOTALL)


def modelfile(tokenizer: Any, file: str) -> str:
    """The text of a Modelfile beside `file`.

    A chat template that renders as ChatML does is written for Ollama; any other one Ollama reads
    from the file itself, as far as it knows it. What ends an answer stops it.
    """
    lines = [f"FROM ./{file}"]
    if tokenizer.chat_template and _rendered(tokenizer, _TURNS) == _as_chatml(_TURNS):
        lines.append(f'TEMPLATE """{_CHATML}"""')
        before = _DEFAULT.match(_rendered(tokenizer, _TURNS[1:2]))
        if before and '"""' not in before[1]:
            lines.append(f'SYSTEM """{before[1]}"""')
    if tokenizer.eos_token:
        lines.append(f'PARAMETER stop "{tokenizer.eos_token}"')
    return "\n".join(lines) + "\n"


def _rendered(tokenizer: Any, turns: Any) -> str:
    from transformers.utils.chat_template_utils import render_jinja_template

    (text,), _ = render_jinja_template(
        conversations=[list(turns)],
        chat_template=tokenizer.chat_template,
        add_generation_prompt=True,
        **{
            f"{name}_token": getattr(tokenizer, f"{name}_token") or ""
            for name in ("bos", "eos", "pad")
        },
    )
    return str(text)


def _as_chatml(turns: Any) -> str:
    before = "".join(f"<|im_start|>{t['role']}\n{t['content']}<|im_end|>\n" for t in turns)
    return f"{before}<|im_start|>assistant\n"
