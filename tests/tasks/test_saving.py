"""Keras' own files: tasks with their tokenizers, settings and training."""

import keras
import numpy as np
import pytest

import keras_bert as kb
from keras_bert.tasks.hooks import Start
from keras_bert.tasks.table import TASKS

KINDS = [getattr(kb, name) for name in TASKS.values()]
BYTE_PAIRS = ("Roberta", "ModernBert")
FAMILIES = ("Bert", "DistilBert", "Electra", "Roberta", "ModernBert")
# Of all pairs, those that the default run has.
DEFAULT = {("Bert", kb.TextClassifier)}
TABLE = [
    pytest.param(
        *(family, kind),
        id=f"{family}-{kind.__name__}",
        marks=() if (family, kind) in DEFAULT else pytest.mark.slow,
    )
    for family in FAMILIES
    for kind in KINDS
]


@pytest.fixture
def task_of(encoder_of, byte_pairs_of, tokenizer, two_examples):
    """A function that gives a task of a family, and two examples."""

    def make(family, kind):
        own = byte_pairs_of(family) if family in BYTE_PAIRS else tokenizer
        encoder = encoder_of(family, num_layers=1, vocabulary_size=270)
        on = Start(encoder, kb.Packer(own, 23), kb.BertPretrainer(encoder))
        examples = two_examples(kind, own)
        return kind.from_examples(on, examples), examples

    return make


def near(answers):
    def of(value):
        return pytest.approx(value, abs=1e-6) if isinstance(value, float) else value

    return keras.tree.map_structure(of, answers)


@pytest.mark.parametrize(("family", "kind"), TABLE)
def test_a_task_is_opened_with_all_that_it_says_and_learns(family, kind, task_of, drawn, tmp_path):
    task, examples = task_of(family, kind)
    drawn(task)
    task.compile(kb.AdamW(1e-3), **task.objective())
    data = task.dataset(examples, batch_size=2)
    task.fit(data, verbose=0)
    task.save(tmp_path / "task.keras")
    again = keras.models.load_model(tmp_path / "task.keras")
    assert type(again) is kind and again.settings() == task.settings()
    assert again.tokenizer.settings() == task.tokenizer.settings()
    for value, same in zip(task.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(value, same)
    assert [w.trainable for w in again.weights] == [w.trainable for w in task.weights]
    assert again(examples) == near(task(examples))
    assert int(again.optimizer.iterations) == 1
    again.fit(again.dataset(examples, batch_size=2), verbose=0)
    if kind is not kb.FillMask:  # whose table is shared
        clone = keras.models.clone_model(task)
        assert not {id(w) for w in clone.weights} & {id(w) for w in task.weights}
        # By their names: a layer of the encoder that the head calls too is two in a clone.
        idle = {w.path for layer in task.idle_layers for w in layer.weights}
        paths, cloned = ({w.path for w in model.weights} for model in (task, clone))
        assert paths - idle <= cloned <= paths


def test_what_cannot_be_opened_is_not_saved(task_of, tmp_path):
    task, _ = task_of("Bert", kb.TextClassifier)
    ensemble = kb.ensemble([task, task.copy()])
    with pytest.raises(ValueError, match="an ensemble has 2: save its members"):
        ensemble.save(tmp_path / "task.keras")
    template = kb.Packer(task.tokenizer, 23).template
    other = type(template)(template.before, (*template.between, 3), template.after)
    task.packer = kb.Packer(task.tokenizer, 23, other)
    with pytest.raises(ValueError, match="A file of Keras holds no template"):
        task.save(tmp_path / "task.keras")


def test_a_tokenizer_of_ones_own_is_refused(encoder_of, vocabulary, tmp_path):
    class Mine(kb.Tokenizer):
        pass

    task = kb.SentenceEmbedder(encoder_of("Bert", num_layers=1), kb.Packer(Mine(vocabulary), 23))
    with pytest.raises(ValueError, match="but this task's is a Mine"):
        task.save(tmp_path / "task.keras")
