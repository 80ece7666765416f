"""The steps that a task must say, and those that follow from them."""

import pytest
import tensorflow as tf

from keras_bert.tasks.steps import Steps


class Spaces(Steps):
    """A task that cuts texts at spaces."""

    def tokenized(self, examples):
        return {"words": tf.strings.split(examples["text"])}

    def packed(self, pieces):
        return {"first": pieces["words"].to_tensor()[:, 0]}


def test_features_are_packed_pieces():
    features = Spaces().features({"text": tf.constant(["a film", "fox"])})
    assert features["first"].numpy().tolist() == [b"a", b"fox"]


def test_what_a_task_does_not_say_is_missed():
    task = Spaces()
    assert task.other_spec == {} and task.as_python({"a": 1}) == {"a": 1}
    for call in (
        lambda: task.example_spec,
        lambda: task.score_names,
        task.objective,
        task.settings,
        lambda: task.answers({}, {}),
        lambda: task.num_tokens({}),
        lambda: Spaces.from_settings(None, None, {}),
    ):
        with pytest.raises(NotImplementedError):
            call()
