import pytest

from keras_bert.tasks.weights import class_weights, example_weights

EXAMPLES = [{"label": label} for label in ("a", "b", 1)]


def test_weights_of_classes_are_told_by_name_or_number():
    assert class_weights(EXAMPLES, "label", ("a", "b"), {"b": 2.0}) == [1.0, 2.0, 2.0]
    assert class_weights(EXAMPLES, "label", ("a", "b"), {0: 3}) == [3.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="a label must be one of 'a', 'b', but is 2"):
        class_weights(EXAMPLES, "label", ("a", "b"), {2: 3.0})
    for examples, names in ((EXAMPLES, ()), ([{"label": ["a"]}], ("a", "b"))):
        with pytest.raises(ValueError, match="have one label each, but label has none or several"):
            class_weights(examples, "label", names, {})


def test_every_example_has_a_weight():
    assert example_weights(None, EXAMPLES).numpy().tolist() == [1.0] * 3
    with pytest.raises(ValueError, match="for each of the 3 examples, .* shape \\(2,\\)"):
        example_weights([1, 2], EXAMPLES)
    with pytest.raises(ValueError, match="sample_weight\\[1\\] is nan"):
        example_weights([1, float("nan"), 2], EXAMPLES)
