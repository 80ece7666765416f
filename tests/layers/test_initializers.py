"""One initializer may go everywhere: every matrix is a draw of its own."""

import importlib
import inspect
import pathlib

import keras
import numpy as np
import pytest

import keras_bert.layers
from keras_bert.layers.initializers import Independent, independent

FOLDER = pathlib.Path(keras_bert.layers.__file__).parent
SIZES = {
    "num_heads": 3,
    "hidden_dim": 15,
    "intermediate_dim": 31,
    "vocabulary_size": 15,
    "max_sequence_length": 11,
    "num_segments": 2,
    "units": 31,
    "activation": "relu",
}


def layers_with_an_initializer():
    """All layers of the package that take one, now and later."""
    for path in sorted(FOLDER.glob("[!_]*.py")):
        module = importlib.import_module(f"keras_bert.layers.{path.stem}")
        for name, kind in vars(module).items():
            if inspect.isclass(kind) and kind.__module__ == module.__name__:
                for word in inspect.signature(kind).parameters:
                    if word.endswith("initializer") and issubclass(kind, keras.layers.Layer):
                        yield pytest.param(kind, word, id=name)


def matrices(kind, **arguments):
    """The matrices of a new layer, without a table that it is given."""
    if "token_embedding" in inspect.signature(kind).parameters:
        table = keras.layers.Embedding(17, 15)
        table.build([None])
        arguments["token_embedding"] = table
    sizes = {n: v for n, v in SIZES.items() if n in inspect.signature(kind).parameters}
    layer = kind(**sizes, **arguments)
    layer.build((2, 7, 15) if "initializer" not in arguments else (2, 7))
    return [w.numpy() for w in layer.weights if len(w.shape) > 1 and w.shape[0] != 17]


@pytest.mark.parametrize(("kind", "word"), layers_with_an_initializer())
def test_every_layer_draws_each_matrix_anew(kind, word):
    shared = keras.initializers.RandomNormal(stddev=0.1)
    found = [m for _ in range(2) for m in matrices(kind, **{word: shared})]
    assert len(found) >= 2
    for i, one in enumerate(found):
        assert not any(np.array_equal(one, other) for other in found[:i])
    seeded = keras.initializers.RandomNormal(stddev=0.1, seed=3)
    for one, same in zip(*(matrices(kind, **{word: seeded}) for _ in range(2)), strict=True):
        np.testing.assert_array_equal(one, same)


def test_the_distribution_stays():
    values = np.asarray(independent(keras.initializers.RandomNormal(1.0, 0.2))((300, 1000)))
    assert values.mean() == pytest.approx(1.0, abs=0.01)
    assert values.std() == pytest.approx(0.2, rel=0.01)


def test_shapes_with_one_seed_do_not_begin_alike():
    one, other = (independent(keras.initializers.RandomNormal(seed=7)) for _ in range(2))
    assert not np.array_equal(one((2, 3)), other((4, 3))[:2])


def test_the_global_seed_repeats_it():
    draws = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        draws.append(np.asarray(independent("glorot_uniform")((2, 3))))
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize(
    "initializer",
    [
        keras.initializers.Zeros(),
        keras.initializers.RandomNormal(seed=keras.random.SeedGenerator(1)),
        lambda shape, dtype=None: np.ones(shape, dtype),
        independent("glorot_uniform"),
    ],
    ids=["zeros", "a generator", "a function", "independent"],
)
def test_what_does_not_repeat_itself_is_left_alone(initializer):
    assert independent(initializer) is initializer


def test_it_is_saved_with_its_layer():
    layer = keras.layers.Dense(3, kernel_initializer=independent("glorot_uniform"))
    again = keras.layers.Dense.from_config(layer.get_config())
    assert isinstance(again.kernel_initializer, Independent)
    assert isinstance(again.kernel_initializer.initializer, keras.initializers.GlorotUniform)
