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


@pytest.mark.parametrize(
    ("difference", "message"),
    [
        ({"labels": ("no", "yes", "or")}, "labels is"),
        ({"label_key": "gold"}, "label_key is 'label' of the first and 'gold'"),
        ({"text_keys": ("text",)}, "text_keys is"),
        ({"problem": "multi_label_classification"}, "problem is"),
    ],
)
@pytest.mark.parametrize("combine", [ensembles.ensemble, ensembles.average])
def test_members_must_be_alike(first, tokenizer, config, combine, difference, message):
    with pytest.raises(ValueError, match=message):
        combine([first, classifier(tokenizer, config, 1, **difference)])


@pytest.mark.parametrize(
    ("difference", "message"),
    [
        ({"labels": ("yes", "no")}, r"labels is \('no', 'yes'\) of the first and \('yes', 'no'\)"),
        ({"stride": 3}, "stride is None of the first and 3"),
        ({"length": 8}, "sequence_length is 9 of the first and 8"),
    ],
)
def test_what_is_averaged_reads_alike(first, tokenizer, config, difference, message):
    other = classifier(tokenizer, config, 1, **difference)
    with pytest.raises(ValueError, match=message):
        ensembles.average([first, other])


def test_of_pieces_members_have_one_tokenizer(tokenizer, vocabulary, config):
    config = dataclasses.replace(config, num_layers=1)
    one, other = (
        kb.TokenClassifier(kb.BertEncoder(config), kb.Packer(own, 9), ("A", "B"))
        for own in (tokenizer, kb.Tokenizer(vocabulary, lowercase=False))
    )
    with pytest.raises(ValueError, match="tokenizer's lowercase is True of the first and False"):
        ensembles.ensemble([one, other])
    with pytest.raises(ValueError, match="only tasks with the same tokenizer"):
        ensembles.ensemble([one, "other.jsonl"])


def test_what_is_combined_are_tasks_of_one_size(first, tokenizer, config):
    for models in ([], [first, kb.BertEncoder(config)]):
        with pytest.raises(ValueError, match="must be tasks, at least one"):
            ensembles.average(models)
    with pytest.raises(ValueError, match="at least one of them a task"):
        ensembles.ensemble([])
    with pytest.raises(ValueError, match=r"kb\.Member\(model"):
        ensembles.ensemble([first, kb.BertEncoder(config)])
    small = classifier(tokenizer, dataclasses.replace(config, num_layers=1), 1)
    with pytest.raises(ValueError, match="the shape of layer_1/.* is .* of the first and None"):
        ensembles.average([first, small])


def probabilities(task, texts=TEXTS):
    return np.array([answer["probabilities"] for answer in task(texts)])


@pytest.fixture(scope="module")
def together(first, byte_pairs_of, encoder_of):
    """Classifiers of two families, one with its labels in another order, and a model of Keras."""
    encoder = encoder_of("Roberta", num_layers=1, vocabulary_size=270, initializer_range=0.3)
    packer = kb.Packer(byte_pairs_of("Roberta"), 15)
    other = kb.TextClassifier(encoder, packer, ("yes", "no"))
    text = keras.Input([], dtype="string")
    words = keras.layers.TextVectorization(vocabulary=["fox", "film"], output_mode="multi_hot")
    yes = keras.layers.Dense(1, activation="sigmoid")(words(text))
    model = keras.Model(text, yes)
    return [first, other, kb.Member(model, labels=("no", "yes"), gives="probabilities")]


def test_members_of_any_family_and_models_answer_together(together, without_graphs):
    first, other, member = together
    yes = np.asarray(member.model(tf.constant(TEXTS)))
    alone = [
        probabilities(first),
        probabilities(other)[:, ::-1],
        np.concatenate([1 - yes, yes], axis=1),
    ]
    mean = kb.ensemble(together, by="mean", weights=(1, 3, 2)).copy()
    wanted = (alone[0] + 3 * alone[1] + 2 * alone[2]) / 6
    np.testing.assert_allclose(probabilities(mean), wanted, atol=1e-5)
    with pytest.raises(ValueError, match="has the weights of 3: save its members"):
        kb.save(mean, "nowhere")
    with pytest.raises(ValueError, match="train its members"):
        mean.dataset([{"sentence": "a fox", "label": "no"}], 1)


def test_members_weigh_as_much_as_their_score(together, without_graphs):
    first, other, _ = together
    [label] = {answer["label"] for answer in other(TEXTS[:1])}
    held_out = [{"sentence": TEXTS[0], "label": label}]
    alone = probabilities(first)[0][("no", "yes").index(label)]
    both = kb.ensemble([first, other], by="mean", held_out=held_out)
    scores = ensembles.member_scores(both, held_out)
    assert [one["accuracy"] for one in scores] == [float(alone > 0.5), 1.0]
    wanted = probabilities(other)[0, ::-1]
    if alone > 0.5:
        wanted = (wanted + probabilities(first)[0]) / 2
    np.testing.assert_allclose(probabilities(both)[0], wanted, atol=1e-5)
    for wrong in ((1,), (0, 0), (-1, 2), (float("nan"), 1)):
        with pytest.raises(ValueError, match="weights must be 2 numbers"):
            kb.ensemble([first, other], weights=wrong)
    with pytest.raises(ValueError, match="one of them"):
        kb.ensemble([first, other], weights=(1, 1), held_out=held_out)
    with pytest.raises(ValueError, match="by must be one of"):
        kb.ensemble([first, other], by="best")


def test_numbers_have_no_votes(tokenizer, config):
    config = dataclasses.replace(config, num_layers=1)
    task = classifier(tokenizer, config, 1, ("value",), problem="regression")
    with pytest.raises(ValueError, match="take by='mean'"):
        kb.ensemble([task, task], by="vote")
