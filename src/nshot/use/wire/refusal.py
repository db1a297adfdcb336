"""What a request is refused with: a status, a sentence, and the two forms in which it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nshot.core.errors import CannotAdapt, EndpointFailed, Fault, InputError, ModelNotFound, nearest

KINDS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found",
    405: "invalid_request_error",
    408: "timeout",
    413: "request_too_large",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout",
}
"""Status -> what clients call it."""


class Refusal(Exception):
    """A request that is not answered; `details` are pydantic's errors of a body, without inputs."""

    def __init__(
        self,
        status: int,
        message: str,
        headers: Mapping[str, str] | None = None,
        details: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        self.details = tuple(details)

    def body(self, path: str) -> dict[str, Any]:
        """As OpenAI's clients read it; on ``/v1/systemone`` as those of decision models do."""
        kind = KINDS.get(self.status, "error")
        if path != "/v1/systemone":
            return {"error": {"message": self.message, "type": kind, "param": None, "code": None}}
        if self.status == 422:
            details = self.details or ({"loc": ["body"], "msg": self.message, "type": kind},)
            return {"detail": list(details)}
        return {"detail": {"error_type": kind, "message": self.message}}


def unknown_model(name: str, known: Iterable[str]) -> Refusal:
    """404, with what is there."""
    names = list(known)
    every, near = ", ".join(names), nearest(name, names)
    return Refusal(404, f"no model '{name[:80]}': {near}" + f" (of {every})" * (every not in near))


def busy(message: str) -> Refusal:
    """429: ask again in a moment."""
    return Refusal(429, message, {"Retry-After": "1"})


def unavailable(message: str) -> Refusal:
    """503: it is the server's fault, and passes."""
    return Refusal(503, message, {"Retry-After": "2"})


def refusal_of(error: BaseException) -> Refusal:
    """What a client is told of an error that came up while its request was answered.

    No path of this machine and no text of another request is in it.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ModelNotFound):
        return unavailable("the model under this folder is not at hand")
    if isinstance(error, InputError):
        return Refusal(400, "; ".join(map(_sentence, error.faults)))
    if isinstance(error, CannotAdapt):
        return Refusal(400, str(error))
    if isinstance(error, EndpointFailed):
        return unavailable("the endpoint under this folder does not answer")
    return unavailable("the model failed on this request; the server goes on")


def _sentence(fault: Fault) -> str:
    return f"{fault.found} (expected: {fault.expected})" if fault.expected else fault.found
