"""Errors of a served model: gRPC's status codes, the HTTP statuses that TF Serving gives them."""

from __future__ import annotations

# In the order of their numbers, which TensorFlow's errors have too.
CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
    *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
    *("ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "UNAUTHENTICATED",
)

# tensorflow_serving/model_servers/http_server.cc; all others are 500. Where several codes have one
# status, the first is what a client takes the status for.
HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
# HTTP's own word for what gRPC calls RESOURCE_EXHAUSTED too: a request that is too large.
CONTENT_TOO_LARGE = 413

# Enough to say what is wrong; gRPC refuses trailers of more than some kilobytes.
MAX_MESSAGE_LENGTH = 1000


class ServingError(RuntimeError):
    """A served model did not answer.

    Its subclasses say what can be done about it: `InvalidRequestError` (correct the request),
    `NotFoundError`, `OverloadedError` and `UnavailableError` (come back later),
    `DeadlineExceededError`.

    Args:
        code: str, the canonical status code, such as "INVALID_ARGUMENT".
        message: str, what is wrong.

    Example:

    >>> from keras_bert.serving.wire import errors
    >>> error = errors.from_code("NOT_FOUND", "There is no model 'sst3'.")
    >>> error.code, isinstance(error, errors.NotFoundError)
    ('NOT_FOUND', True)
    >>> print(error)
    NOT_FOUND: There is no model 'sst3'.
    """

    def __init__(self, code: str, message: str):
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class InvalidRequestError(ServingError, ValueError):
    """The request is wrong: INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE."""


class NotFoundError(ServingError, LookupError):
    """There is no such model or version: NOT_FOUND."""


class OverloadedError(ServingError):
    """The queue is full, or the request too large: RESOURCE_EXHAUSTED."""


class UnavailableError(ServingError):
    """The server cannot be reached or is about to stop: UNAVAILABLE."""


class DeadlineExceededError(ServingError, TimeoutError):
    """There was no answer in time: DEADLINE_EXCEEDED."""


_CLASSES = {
    "INVALID_ARGUMENT": InvalidRequestError,
    "FAILED_PRECONDITION": InvalidRequestError,
    "OUT_OF_RANGE": InvalidRequestError,
    "NOT_FOUND": NotFoundError,
    "RESOURCE_EXHAUSTED": OverloadedError,
    "UNAVAILABLE": UnavailableError,
    "DEADLINE_EXCEEDED": DeadlineExceededError,
}


def from_code(code: str, message: str) -> ServingError:
    """The error of a canonical status code."""
    return _CLASSES.get(code, ServingError)(code, _shortened(message))


def from_http(status: int, message: str) -> ServingError:
    """The error of an HTTP status."""
    if status == CONTENT_TOO_LARGE:
        return from_code("RESOURCE_EXHAUSTED", message)
    code = next((code for code, http in HTTP_STATUS.items() if http == status), "UNKNOWN")
    return from_code(code, message)


def code_of(error: Exception) -> str:
    """The canonical status code of an error; of one that nobody foresaw, INTERNAL."""
    if isinstance(error, ServingError):
        return error.code
    return "INVALID_ARGUMENT" if isinstance(error, ValueError) else "INTERNAL"


def invalid(message: str) -> InvalidRequestError:
    """An INVALID_ARGUMENT."""
    return InvalidRequestError("INVALID_ARGUMENT", _shortened(message))


def _shortened(message: str) -> str:
    is_long = len(message) > MAX_MESSAGE_LENGTH
    return f"{message[:MAX_MESSAGE_LENGTH]}..." if is_long else message
