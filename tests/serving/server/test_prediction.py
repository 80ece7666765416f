"""What clients are told of errors."""

import pytest

pytest.importorskip("prometheus_client")

from keras_bert.serving.server.prediction import as_serving_error
from keras_bert.serving.wire import errors


def test_errors_of_requests_are_told():
    error = errors.invalid("why")
    assert as_serving_error(error) is error


def test_other_errors_are_in_the_log_only():
    error = as_serving_error(KeyError("/secret/path"))
    assert str(error) == "INTERNAL: The server failed; its log says why."
