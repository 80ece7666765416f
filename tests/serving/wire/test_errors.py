"""Status codes: gRPC's names, HTTP's numbers, classes."""

import pytest
import tensorflow as tf

from keras_bert.serving.wire import errors


def test_codes_have_tensorflows_numbers():
    for name in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "UNAUTHENTICATED"):
        assert errors.CODES.index(name) == getattr(tf.errors, name)


@pytest.mark.parametrize(
    "code, cls, http",
    [
        ("INVALID_ARGUMENT", errors.InvalidRequestError, 400),
        ("FAILED_PRECONDITION", errors.InvalidRequestError, 400),
        ("OUT_OF_RANGE", errors.InvalidRequestError, 400),
        ("NOT_FOUND", errors.NotFoundError, 404),
        ("RESOURCE_EXHAUSTED", errors.OverloadedError, 429),
        ("UNAVAILABLE", errors.UnavailableError, 503),
        ("DEADLINE_EXCEEDED", errors.DeadlineExceededError, 504),
        ("INTERNAL", errors.ServingError, 500),
    ],
)
def test_each_code_has_a_class_and_a_status(code, cls, http):
    error = errors.from_code(code, "why")
    assert type(error) is cls
    assert (error.code, str(error)) == (code, f"{code}: why")
    assert errors.HTTP_STATUS[code] == http
    assert type(errors.from_http(http, "why")) is cls


@pytest.mark.parametrize(
    "status, code", [(400, "INVALID_ARGUMENT"), (413, "RESOURCE_EXHAUSTED"), (418, "UNKNOWN")]
)
def test_a_status_alone_has_a_code(status, code):
    assert errors.from_http(status, "why").code == code


def test_long_messages_are_cut():
    assert len(errors.invalid("x" * 9999).message) == errors.MAX_MESSAGE_LENGTH + len("...")
