import numpy as np
import pytest

from keras_bert.lite import model as module
from keras_bert.lite.model import NUM_BLANKS, Model, best, signature_of, softmax
from keras_bert.lite.rows import Row


class Interpreter:
    """Says what it is given."""

    def __init__(self, model_path, num_threads):
        if "damaged" in model_path:
            raise ValueError("no flatbuffer")

    def get_signature_runner(self, name):
        length = int(name.removeprefix("tokens_"))
        shapes = {"token_ids": (1, length), "padding_mask": (1, 1, length)}
        shapes["mask_positions"] = (1, NUM_BLANKS)

        class Runner:
            def get_input_details(self):
                return {name: {"shape": shape} for name, shape in shapes.items()}

            def __call__(self, **inputs):
                return inputs

        return Runner()


@pytest.fixture
def interpreter(monkeypatch):
    monkeypatch.setattr(module, "_class_of_interpreters", lambda: Interpreter)


def test_a_row_takes_the_first_length_that_holds_it(interpreter, tmp_path):
    model = Model(tmp_path / "x", (8, 4), pad=7, num_threads=1)
    outputs = model(Row([5, 6, 9], [0, 0, 1]), positions=[2])
    assert outputs["token_ids"].tolist() == [5, 6, 9, 7]
    assert outputs["padding_mask"].tolist() == [[1, 1, 1, 0]]
    assert outputs["mask_positions"].tolist() == [2, 0, 0, 0]
    assert model(Row([5] * 5, [0] * 5))["token_ids"].shape == (8,)


def test_what_is_no_model_is_named(interpreter, tmp_path):
    with pytest.raises(ValueError, match=r"damaged must be a LiteRT model, but no flatbuffer"):
        Model(tmp_path / "damaged", (8,), pad=0, num_threads=1)


def test_signatures_softmax_and_the_best():
    assert signature_of(32) == "tokens_32"
    large = softmax(np.array([1000.0, 0.0]))
    assert large.tolist() == [1.0, 0.0] and large.dtype == np.float32
    assert best(np.array([2.0, 5.0, 5.0]), 2).tolist() == [1, 2]
