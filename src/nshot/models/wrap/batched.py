"""`Models` whose models behind OpenAI-compatible endpoints are asked through batch files."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nshot.core.errors import EndpointFailed
from nshot.core.types import ModelRef, Prompt, digest
from nshot.models.base import Completion, Decoding, LanguageModel, Served
from nshot.models.openai.batch_files import BatchFiles, reason
from nshot.models.openai.chat_completions import RemoteLanguageModel
from nshot.models.openai.service import Passing
from nshot.models.wrap.around import Around, AroundModel


@dataclass
class Used:
    """What was asked of a model: different requests, and their tokens as the service counts."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0

    def add(self, one: Completion) -> None:
        """One answer more."""
        self.requests += 1
        self.tokens_in += one.tokens_in
        self.tokens_out += one.tokens_out
        self.cached += one.served.cached if one.served else 0


@dataclass(frozen=True)
class BatchedModel(AroundModel):
    """A model behind an endpoint whose texts come out of batch files; `used` counts them."""

    model: RemoteLanguageModel
    files: BatchFiles
    used: Used
    known: dict[tuple[Prompt, Decoding], Completion] = field(default_factory=dict)

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """An answer to each prompt; of one that it will not take an empty one.

        Raises as `BatchFiles.answers` does.
        """
        new = [one for one in dict.fromkeys(prompts) if (one, how) not in self.known]
        bodies = [self.model.request(prompt, how) for prompt in new]
        responses = self.files.answers(bodies)
        for prompt, body, response in zip(new, bodies, responses, strict=True):
            completion = _refused(response)
            if response["status_code"] == 200:
                try:
                    completion = self.model.read(response["body"], body, how)
                except Passing as none:
                    raise EndpointFailed(f"{self.model.service.url}: {none}") from None
            self.known[prompt, how] = completion
            self.used.add(completion)
        return [self.known[prompt, how] for prompt in prompts]

    def completions(
        self, prompts: Sequence[Prompt], how: Decoding
    ) -> Iterator[tuple[int, Completion]]:
        """(index, completion), all at once."""
        yield from enumerate(self.generate(prompts, how))

    def stream(self, prompt: Prompt, how: Decoding) -> Generator[str, None, Completion | None]:
        """The text of `generate` in one piece."""
        return LanguageModel.stream(self, prompt, how)


@dataclass(frozen=True)
class BatchedModels(Around):
    """`Models` that keep their batch files in `folder`; `tell` hears how far a batch is."""

    folder: Path
    tell: Callable[[str], None]
    used: dict[ModelRef, Used] = field(default_factory=dict)
    """Of each model that was asked so."""
    _open: dict[ModelRef, BatchedModel] = field(default_factory=dict)

    def open(self, ref: ModelRef) -> LanguageModel:
        """The model; one behind an endpoint of this kind asked through batch files."""
        if ref in self._open:
            return self._open[ref]
        model = self.models.open(ref)
        if not isinstance(model, RemoteLanguageModel):
            return model
        used = self.used.setdefault(ref, Used())
        place = self.folder / digest(ref.name)[:12]
        files = BatchFiles(model.service, place, self.tell)
        self._open[ref] = BatchedModel(model, files, used)
        return self._open[ref]


def _refused(response: dict[str, object]) -> Completion:
    """The empty answer to a prompt that was not read."""
    return Completion("", 0, 0, True, served=Served(refusal=reason(response["body"]), taken=False))
