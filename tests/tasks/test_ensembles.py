import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.tasks import ensembles

TEXTS = ["the quick fox", "a film"]


def classifier(tokenizer, config, seed, labels=("no", "yes"), length=9, **settings):
    keras.utils.set_random_seed(seed)
    config = dataclasses.replace(config, initializer_range=0.3)
    encoder, packer = kb.BertEncoder(config), kb.Packer(tokenizer, length)
    return kb.TextClassifier(encoder, packer, labels, **settings)


def logits(task):
    features = task.features({"sentence": tf.constant(TEXTS)})
    return np.asarray(task(task.model_inputs(features))["logits"])


def test_an_ensemble_says_what_the_mean_of_logits_says(tokenizer, config, tmp_path):
    wide = dataclasses.replace(config, hidden_dim=24, num_layers=1)
    members = [classifier(tokenizer, config, 1), classifier(tokenizer, wide, 2)]
    mean = (logits(members[0]) + logits(members[1])) / 2
    expected = np.exp(mean) / np.exp(mean).sum(axis=1, keepdims=True)
    own = [task(TEXTS) for task in members]  # asked first, and again in the end
    both = ensembles.ensemble(members)
    answers = both(TEXTS)
    np.testing.assert_allclose([a["probabilities"] for a in answers], expected, atol=1e-5)
    assert [task(TEXTS) for task in members] == own != [answers, answers]
    examples = both.as_examples({"sentence": TEXTS, "label": ["no", "yes"]})
    assert tuple(both.scores(examples, answers)) == both.score_names

    # It follows what its members learn, and is neither trained nor saved.
    members[1].set_weights([0 * weight for weight in members[1].get_weights()])
    half = np.exp(logits(members[0]) / 2)
    half /= half.sum(axis=1, keepdims=True)
    np.testing.assert_allclose([a["probabilities"] for a in both(TEXTS)], half, atol=1e-5)
    both.compile("sgd", **both.objective(), run_eagerly=True)
    with pytest.raises(ValueError, match="train its members"):
        both.fit(both.dataset(examples, 2), verbose=0)
    with pytest.raises(ValueError, match="has the weights of 2: save its members"):
        kb.save(both, tmp_path)


MAKERS = {
    "tags": (lambda e, p: kb.TokenClassifier(e, p, ("A", "B")), {"words": TEXTS[0].split()}),
    "blanks": (lambda e, p: kb.FillMask(kb.BertPretrainer(e), p), "a [MASK] film"),
    "answers": (lambda e, p: kb.QuestionAnswerer(e, p, stride=2), ("a fox", "the lazy dog")),
    "vectors": (lambda e, p: kb.SentenceEmbedder(e, p, "max", normalize=False), "a fox"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_task_and_its_copy_say_what_it_says_alone(name, tokenizer, config, without_graphs):
    make, example = MAKERS[name]
    config = dataclasses.replace(config, num_layers=1, initializer_range=0.3)
    task = make(kb.BertEncoder(config), kb.Packer(tokenizer, 9))
    alone = task(example)
    both = ensembles.ensemble([task, task.copy()])
    assert type(both) is type(task) and both.settings() == task.settings()
    some, others = (keras.tree.flatten(answer) for answer in (alone, both(example)))
    for one, other in zip(some, others, strict=True):
        assert one == (other if isinstance(other, str) else pytest.approx(other, abs=1e-5))


def test_an_average_has_the_mean_of_weights(tokenizer, config):
    members = [classifier(tokenizer, config, seed) for seed in (1, 2, 3)]
    kernels = [np.array(task.get_layer("classifier").kernel) for task in members]
    averaged = ensembles.average(members)
    kernel = averaged.get_layer("classifier").kernel
    np.testing.assert_allclose(kernel, np.mean(kernels, axis=0), rtol=1e-5, atol=1e-7)
    for task, before in zip(members, kernels, strict=True):  # which stay what they are
        np.testing.assert_array_equal(task.get_layer("classifier").kernel, before)


@pytest.fixture(scope="module")
def first(tokenizer, config):
    return classifier(tokenizer, config, 1)


@pytest.mark.parametrize("combine", [ensembles.ensemble, ensembles.average])
@pytest.mark.parametrize(
    ("difference", "message"),
    [
        ({"labels": ("yes", "no")}, r"labels is \('no', 'yes'\) of the first and \('yes', 'no'\)"),
        ({"labels": ("no", "yes", "or")}, "labels is"),
        ({"label_key": "gold"}, "label_key is 'label' of the first and 'gold'"),
        ({"text_keys": ("text",)}, "text_keys is"),
        ({"problem": "multi_label_classification"}, "problem is"),
        ({"stride": 3}, "stride is None of the first and 3"),
        ({"length": 8}, "sequence_length is 9 of the first and 8"),
    ],
)
def test_members_must_be_alike(first, tokenizer, config, combine, difference, message):
    with pytest.raises(ValueError, match=message):
        combine([first, classifier(tokenizer, config, 1, **difference)])


def test_members_have_one_tokenizer(first, tokenizer, vocabulary, config):
    cased = classifier(kb.Tokenizer(vocabulary, lowercase=False), config, 1)
    with pytest.raises(ValueError, match="tokenizer's lowercase is True of the first and False"):
        ensembles.ensemble([first, cased])


@pytest.mark.parametrize("combine", [ensembles.ensemble, ensembles.average])
def test_what_is_combined_are_tasks_of_one_size(first, tokenizer, config, combine):
    for models in ([], [first, kb.BertEncoder(config)]):
        with pytest.raises(ValueError, match="must be tasks, at least one"):
            combine(models)
    small = classifier(tokenizer, dataclasses.replace(config, num_layers=1), 1)
    if combine is ensembles.average:
        with pytest.raises(ValueError, match="the shape of layer_1/.* is .* of the first and None"):
            combine([first, small])
