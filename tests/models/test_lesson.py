import keras
import pytest

import keras_bert as kb
from keras_bert.models.lesson import JudgedByLabels
from keras_bert.training.distillation import SoftTargets


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": 0}, "temperature must be above 0"),
        ({"share": 0}, r"share must lie in \(0, 1\]"),
        ({"of": ("output",)}, "must be some of outputs, hidden_states, attention, .*, cosine"),
    ],
)
def test_a_lesson_is_checked(values, message):
    with pytest.raises(ValueError, match=message):
        kb.Lesson(**values)


def test_labels_and_teacher_have_their_shares_and_what_has_no_teacher_all_of_its_own():
    loss, soft = keras.losses.MeanSquaredError(reduction="sum"), SoftTargets()
    own = {"loss": {"a": loss, "b": loss}, "loss_weights": {"a": 2.0}}
    lesson = kb.Lesson(share=0.75, of=("outputs", "cosine"))
    found = lesson.objective(own, {"a": soft})
    assert found["loss_weights"] == {"a": 0.5, "soft_a": 1.5, "b": 1.0, "cosine": 0.75}
    assert (found["loss"]["a"], found["loss"]["soft_a"]) == (loss, soft)
    alone = kb.Lesson(share=1.0, of=("relations",)).objective(own, {"a": soft})
    assert alone["loss_weights"] == {"b": 1.0, "relations": 1.0}


def test_inner_states_are_of_one_teacher_and_of_sizes_that_can_be_compared(config):
    other = kb.BertConfig.preset("tiny")
    kb.Lesson(of=("relations",)).check_teachers(config, [other])
    with pytest.raises(ValueError, match="relations are those of one teacher, but there are 2"):
        kb.Lesson(of=("relations",)).check_teachers(config, [config, config])
    for name, size in (("cosine", "hidden_dim, 128"), ("attention", "num_heads, 2")):
        with pytest.raises(ValueError, match=f"{name} asks for the teacher's {size}, but the"):
            kb.Lesson(of=(name,)).check_teachers(config, [other])


def test_metrics_see_what_has_labels_alone():
    class Plain:
        output = {"a": None}

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return y, y_pred, sample_weight

    class Taught(JudgedByLabels, Plain):
        pass

    both = {"a": 1, "soft_a": 2}
    assert Taught().compute_metrics(None, both, both, None) == ({"a": 1}, {"a": 1}, None)
