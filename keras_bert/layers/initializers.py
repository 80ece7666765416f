"""Initializers that draw every matrix anew."""

from __future__ import annotations

import hashlib
import random

import keras


def independent(initializer):
    """An initializer of which every call is a draw of its own.

    Keras' random initializers give the same numbers at every call, whether they have a seed or
    not: query, key and value that share one are the same matrix. Whatever takes an initializer here
    takes it through this function.

    Args:
        initializer: all that `keras.initializers.get` takes.

    Returns:
        The initializer where nothing in it repeats itself: it is not random, its seed is a
        `keras.random.SeedGenerator`, or it comes from here; else an `Independent`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_bert.layers.initializers import independent
    >>> one = keras.initializers.RandomNormal(stddev=0.02, seed=7)
    >>> bool(np.array_equal(one((2, 3)), one((2, 3))))
    True
    >>> several = independent(one)
    >>> bool(np.array_equal(several((2, 3)), several((2, 3))))
    False
    """
    initializer = keras.initializers.get(initializer)
    is_keras = isinstance(initializer, keras.initializers.Initializer)
    if not is_keras or isinstance(initializer, Independent):
        return initializer
    seed = initializer.get_config().get("seed", "none at all")
    return Independent(initializer) if seed is None or isinstance(seed, int) else initializer


@keras.saving.register_keras_serializable(package="keras_bert")
class Independent(keras.initializers.Initializer):
    """Another initializer, with a seed of its own for every call.

    The first call of two that were made from one seed gives the same, and so does the second: a
    seeded initializer makes the same model again. Without a seed they differ, but for
    `keras.utils.set_random_seed`.

    Args:
        initializer: an initializer whose config has a `seed`, an int or None.
    """

    def __init__(self, initializer):
        self.initializer = keras.initializers.get(initializer)
        seed = self.initializer.get_config()["seed"]
        # Python's generator, as Keras takes it for what has no seed.
        self._stream = random.randrange(2**63) if seed is None else seed
        self._num_calls = 0

    def __call__(self, shape, dtype=None, **options):
        # The shape counts too: of two shapes with one seed the numbers begin alike.
        key = repr((self._stream, self._num_calls, tuple(shape)))
        self._num_calls += 1
        digest = hashlib.blake2b(key.encode(), digest_size=4).digest()
        seed = int.from_bytes(digest, "big") >> 1
        config = {**self.initializer.get_config(), "seed": seed}
        return type(self.initializer).from_config(config)(shape, dtype=dtype, **options)

    def get_config(self):
        return {"initializer": keras.initializers.serialize(self.initializer)}
