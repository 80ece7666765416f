"""What clients are told of errors."""

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")
pytest.importorskip("prometheus_client")

from keras_bert.serving.server.prediction import as_serving_error
from keras_bert.serving.server.saved_model import SavedModel
from keras_bert.serving.wire import errors


def test_errors_of_requests_are_told():
    error = errors.invalid("why")
    assert as_serving_error(error) is error


def test_errors_of_graphs_keep_their_code():
    error = as_serving_error(tf.errors.OutOfRangeError(None, None, "why"))
    assert (type(error), str(error)) == (errors.InvalidRequestError, "OUT_OF_RANGE: why")


def test_where_in_the_graph_it_failed_is_not_told(base_path):
    model = SavedModel(base_path / "toy" / "1", "toy", 1)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        model.run("serving_default", {"sentence": np.array([b"x" * 5_000_000], object)})
    message = as_serving_error(caught.value).message
    assert message.startswith("assertion failed: [A text must be shorter.]")
    assert "node" in caught.value.message and "node" not in message


def test_other_errors_are_in_the_log_only():
    error = as_serving_error(KeyError("/secret/path"))
    assert str(error) == "INTERNAL: The server failed; its log says why."
