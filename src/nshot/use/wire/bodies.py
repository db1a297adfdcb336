"""What clients send, as pydantic reads it. Bodies in OpenAI's form, and ours for `/v1/classify`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nshot.use.wire.refusal import Refusal

Json: TypeAlias = dict[str, Any]
Row: TypeAlias = str | dict[str, Any]
"""A text, or an object with a text for each field of the task."""
B = TypeVar("B", bound="Body")


class Body(BaseModel):
    """What every request has. Keys that are unknown are left alone, as OpenAI's servers do.

    `NEUTRAL` are keys of OpenAI's that nothing here can honour, with the values at which they ask
    for nothing: any other is refused.
    """

    model_config = ConfigDict(extra="allow")
    NEUTRAL: ClassVar[Mapping[str, tuple[Any, ...]]] = {}

    model: Annotated[str, Field(min_length=1, description="a name that `/v1/models` lists")]


_SAMPLING: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "logprobs": (False, 0),
    "top_logprobs": (0,),
    "top_p": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
}


class TextPart(BaseModel):
    """A piece of a message."""

    type: Literal["text"]
    text: str


class ImageUrl(BaseModel):
    """A picture, in the request itself."""

    url: Annotated[str, Field(description="data:image/...;base64,...; no address is opened")]


class ImagePart(BaseModel):
    """A picture in a message."""

    type: Literal["image_url"]
    image_url: ImageUrl


class Message(BaseModel):
    """A turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Annotated[TextPart | ImagePart, Field(discriminator="type")]] | None = None

    @property
    def text(self) -> str:
        """Its pieces of text, a line each."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def pictures(self) -> list[str]:
        """The addresses that hold its pictures."""
        parts = self.content if isinstance(self.content, list) else []
        return [part.image_url.url for part in parts if isinstance(part, ImagePart)]


class StreamOptions(BaseModel):
    """What a stream ends with."""

    include_usage: bool = False


class JsonSchema(BaseModel):
    """A schema with a name."""

    name: str = ""
    schema_: Annotated[Json, Field(alias="schema")]


class ResponseFormat(BaseModel):
    """What a text must look like. ``regex`` and ``choices`` are ours."""

    type: Literal["text", "json_object", "json_schema", "regex", "choices"]
    json_schema: JsonSchema | None = None
    regex: str | None = None
    choices: list[str] | None = None


class WritingBody(Body):
    """What requests for texts have."""

    max_tokens: Annotated[int | None, Field(ge=1)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    seed: Annotated[int | None, Field(ge=0, le=2**63 - 1)] = None
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None


class ChatBody(WritingBody):
    """``POST /v1/chat/completions``."""

    NEUTRAL: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **_SAMPLING,
        "tools": ([],),
        "functions": ([],),
        "audio": (),
        "modalities": (["text"],),
    }

    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Annotated[int | None, Field(ge=1)] = None


class CompletionBody(WritingBody):
    """``POST /v1/completions``."""

    NEUTRAL: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **_SAMPLING,
        "echo": (False,),
        "suffix": ("",),
    }

    prompt: str | Annotated[list[str], Field(min_length=1)]


class EmbeddingBody(Body):
    """``POST /v1/embeddings``."""

    input: str | Annotated[list[str], Field(min_length=1)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int | None, Field(ge=1)] = None


class ClassifyBody(Body):
    """``POST /v1/classify``: any folder, whatever its kind."""

    input: Row | Annotated[list[Row], Field(min_length=1)]
    explain: bool = False


def read(kind: type[B], raw: bytes) -> B:
    """A body. Raises `Refusal` (422) with every fault, and for what cannot be honoured (400)."""
    try:
        body = kind.model_validate_json(raw)
    except ValidationError as error:
        raise _misfit(error) from None
    extra = body.model_extra or {}
    for name, neutral in kind.NEUTRAL.items():
        if extra.get(name) is not None and extra[name] not in neutral:
            raise Refusal(400, f"'{name}' is not supported here: leave it out")
    return body


def _misfit(error: ValidationError) -> Refusal:
    """What is wrong with a body, without what it holds."""
    details = [
        {"loc": ["body", *one["loc"]], "msg": one["msg"], "type": one["type"]}
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    sentences = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in details[:8]]
    return Refusal(422, "; ".join(sentences), details=details)
