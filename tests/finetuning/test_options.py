"""What each task can be told, as its functions say it."""

import pytest

from keras_bert.finetuning.options import check_options, given, options_of
from keras_bert.tasks.table import TASKS, task_class

COLUMNS = {"text_keys", "label_key"}
OWN = {
    "text_classification": {
        *("labels", "problem", "stride", "label_smoothing", "balance_labels"),
    },
    "token_classification": {
        *("labels", "label_smoothing", "word_column", "label_column", "tag_names", "repair"),
    },
    "question_answering": {"stride"},
    "multiple_choice": set(),
    "sentence_embedding": {"matryoshka"},
    "fill_mask": set(),
}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_the_options_of_its_functions(name):
    assert options_of(task_class(name)) == OWN[name] | COLUMNS


def test_what_only_other_tasks_have_is_refused():
    check_options("question_answering", {"stride", "text_keys", "num_epochs"})
    for task in ("fill_mask", "multiple_choice"):
        with pytest.raises(ValueError) as caught:
            check_options(task, {"stride", "num_epochs"})
        assert str(caught.value) == (
            f"The task {task} has no --stride, which is for text_classification and "
            "question_answering: leave it out."
        )


def test_what_is_given_is_what_is_taken_and_not_none():
    def function(rows, like=(), *, repair=False, labels=None, stride=None):
        return rows

    options = {"repair": False, "labels": None, "stride": 3, "like": 1, "other": 2}
    assert given(function, options) == {"repair": False, "stride": 3}
