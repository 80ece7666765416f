import numpy as np
import pytest

from keras_bert.lite import model as module
from keras_bert.lite.model import NUM_BLANKS, SIGNATURE, Model, best, softmax
from keras_bert.lite.rows import Row


class Interpreter:
    """Says what it is given."""

    def __init__(self, model_path, num_threads):
        if "damaged" in model_path:
            raise ValueError("no flatbuffer")

    def get_signature_runner(self, name):
        assert name == SIGNATURE
        return self

    def get_input_details(self):
        shapes = {"token_ids": (1, 1), "padding_mask": (1, 1, 1), "mask_positions": (1, NUM_BLANKS)}
        return {name: {"shape": shape} for name, shape in shapes.items()}

    def __call__(self, **inputs):
        return inputs


@pytest.fixture
def interpreter(monkeypatch):
    monkeypatch.setattr(module, "_class_of_interpreters", lambda: Interpreter)


def test_a_row_is_read_as_long_as_it_is(interpreter, tmp_path):
    model = Model(tmp_path / "x", num_threads=1)
    outputs = model(Row([5, 6, 9], [0, 0, 1]), positions=[2])
    assert outputs["token_ids"].tolist() == [5, 6, 9]
    assert outputs["padding_mask"].tolist() == [[1, 1, 1]]
    assert outputs["mask_positions"].tolist() == [2, 0, 0, 0]
    assert "segment_ids" not in outputs


def test_what_is_no_model_is_named(interpreter, tmp_path):
    with pytest.raises(ValueError, match=r"damaged must be a LiteRT model, but no flatbuffer"):
        Model(tmp_path / "damaged", num_threads=1)


def test_softmax_and_the_best():
    large = softmax(np.array([1000.0, 0.0]))
    assert large.tolist() == [1.0, 0.0] and large.dtype == np.float32
    assert best(np.array([2.0, 5.0, 5.0]), 2).tolist() == [1, 2]
