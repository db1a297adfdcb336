"""The parser of ``nshot``, made from the verbs' modules."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from nshot import __version__
from nshot.cli import (
    adapt,
    advise,
    align,
    audit,
    batch,
    cache_prune,
    cache_stats,
    cache_warm,
    check,
    compare,
    data_generate,
    data_show,
    data_translate,
    disagree,
    distil,
    episodes,
    export,
    extend,
    gguf,
    methods,
    models,
    predict,
    prompt_ablate,
    prompt_check,
    prompt_diff,
    prompt_shots,
    prompt_show,
    pull,
    push,
    quantise,
    serve,
)
from nshot.core.errors import nearest

VERBS: tuple[ModuleType, ...] = (
    compare, adapt, align, distil, quantise, predict, batch, serve, extend, export, push, pull,
    gguf, advise, audit, disagree, episodes, methods, check, models,
)  # fmt: skip
"""Each has `ABOUT`, `add(parser)` for its flags and `run(arguments)`, which gives the exit code."""
GROUPS: dict[str, tuple[str, tuple[ModuleType, ...]]] = {
    "data": ("work on files of instructions", (data_show, data_generate, data_translate)),
    "prompt": (
        "look at a prompt, and measure its parts",
        (prompt_show, prompt_check, prompt_diff, prompt_ablate, prompt_shots),
    ),
    "cache": ("answers kept by predict --cache", (cache_stats, cache_prune, cache_warm)),
}
"""What each group is about, and its verbs: ``nshot data show``."""
_EPILOG = """\
examples:
  nshot compare tickets.csv                         guess the columns, try everything
  nshot compare tickets.csv --dry-run               what that would take on this machine
  nshot compare train.jsonl --test dev.jsonl --shots 4,8,16 --methods linear_probe,few_shot,lora
  nshot advise runs/tickets --prefer serving        decide again, where answers must be cheap
  nshot audit runs/tickets --slice country           who is served worse, whose answers flip
  nshot disagree runs/tickets unlabelled.csv        which of these to label next
  nshot distil runs/tickets --student tfidf_lr --unlabelled more.csv
  nshot quantise runs/tickets --row lora --bits Q8_0   fewer bytes, and what they cost
  nshot compare photos/                             a folder with a sub-folder per class
  nshot align pairs.jsonl --with ppo                instruct, a reward model, then PPO
  nshot predict runs/tickets new.csv -o out.jsonl   the winner answers
  nshot predict runs/photos new/*.jpg -o out.jsonl
  nshot predict runs/tickets runs/films mixed.csv   several on one base: rows name theirs
  nshot batch runs/tickets in.jsonl -o out.jsonl    a batch file in OpenAI's form
  nshot serve runs/tickets runs/films               answer over HTTP, on this machine
exit codes: 0 done, 2 the request or its files have faults, 3 something broke while running
(the partial board is kept), 130 interrupted (the same command goes on)."""


class Parser(argparse.ArgumentParser):
    """A parser whose refusal of a flag names the nearest one."""

    def error(self, message: str) -> Any:
        """Exit code 2, with the cure."""
        if message.startswith("unrecognized arguments: "):
            wrong = message.split(": ", 1)[1].split()[0]
            known = [flag for action in self._actions for flag in action.option_strings]
            message += f" ({nearest(wrong.split('=')[0], known)})"
        self.exit(2, f"nshot: {message}\n  try:      {self.prog} --help\n")


def parser(words: Sequence[str] | None = None) -> Parser:
    """The whole parser; for a line of `words`, only the verbs in it have their flags."""
    top = Parser(
        prog="nshot",
        description="Which way of adapting a model is worth it on your task: measured on your own"
        " examples, with the cost beside it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"nshot {__version__}")
    verbs = top.add_subparsers(required=True, metavar="VERB", parser_class=Parser)
    _add(verbs, VERBS, words)
    for group, (about, modules) in GROUPS.items():
        own = verbs.add_parser(group, help=about, description=about, allow_abbrev=False)
        own.set_defaults(parser=own)
        _add(own.add_subparsers(required=True, metavar="VERB", parser_class=Parser), modules, words)
    return top


def _add(verbs: Any, modules: Sequence[ModuleType], words: Sequence[str] | None) -> None:
    for module in modules:
        name = module.__name__.rpartition(".")[2].rpartition("_")[2]
        verb = verbs.add_parser(
            name, help=module.ABOUT, description=module.ABOUT, allow_abbrev=False
        )
        verb.set_defaults(run=module.run, parser=verb)
        if words is None or name in words:
            module.add(verb)
