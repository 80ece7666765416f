"""What is read again must be as long as it was, and says the file where it is not."""

import pytest
import tensorflow as tf

from keras_bert.data.pretraining.unchanged import as_it_was, fingerprint


@pytest.mark.parametrize("batched", [False, True])
def test_what_is_as_it_was_it_was_comes_unchanged(batched):
    parts = tf.data.Dataset.from_tensor_slices(["a", "", "größe", "b"])
    parts = parts.batch(3) if batched else parts
    same = as_it_was(parts, "a.txt", 4, 9)
    assert same.element_spec == parts.element_spec
    for one, other in zip(same, parts, strict=True):
        assert (one == other).numpy().all()


@pytest.mark.parametrize(
    ("number", "size", "message"),
    [
        (
            3,
            4,
            "a.txt must be as it was .* 4 bytes in 3 parts, but now has 3 in 3, or others. Put the",
        ),
        (4, 3, "with 3 bytes in 4 parts, but now has 3 in 3"),
    ],
)
def test_what_is_shorter_is_an_error_at_its_end(number, size, message):
    parts = iter(
        as_it_was(tf.data.Dataset.from_tensor_slices(["a", "b", "c"]), "a.txt", number, size)
    )
    for _ in range(3):
        next(parts)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        next(parts)


@pytest.mark.parametrize("strings", [["b", "a"], ["a", "b"], ["a", "c"]])
def test_strings_that_are_others_are_an_error(strings):
    known = fingerprint(["a", "b"])
    parts = as_it_was(tf.data.Dataset.from_tensor_slices(strings), "a.txt", 2, 2, known)
    if "c" not in strings:
        assert [part.numpy().decode() for part in parts] == strings
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match="has 2 in 2, or others. Put"):
        list(parts)


def test_an_empty_file_that_was_not_is_an_error():
    parts = as_it_was(tf.data.Dataset.from_tensor_slices(["a"]).take(0), "a.txt", 1, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="now has 0 in 0"):
        next(iter(parts))
