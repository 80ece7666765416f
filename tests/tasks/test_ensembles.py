import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.exporting import warmup
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


def test_blanks_and_vectors_are_of_one_vocabulary_and_one_space(tokenizer, vocabulary, config):
    config = dataclasses.replace(config, num_layers=1)
    cased = kb.Tokenizer(vocabulary, lowercase=False)
    for make, message in (
        (lambda e, p: kb.FillMask(kb.BertPretrainer(e), p), "pieces of its own vocabulary.*leave"),
        (kb.SentenceEmbedder, "space of their own.*take by='mean', the mean of their cosines"),
    ):
        one, other = (make(kb.BertEncoder(config), kb.Packer(t, 9)) for t in (tokenizer, cased))
        with pytest.raises(ValueError, match=f"{message}"):
            ensembles.ensemble([one, other])
        with pytest.raises(ValueError, match="a member is 'other.jsonl': .*"):
            ensembles.ensemble([one, "other.jsonl"])
    with pytest.raises(ValueError, match="Votes are for classes"):
        ensembles.ensemble([one, other], by="vote")
    both = ensembles.ensemble([one, other], by="mean")
    with pytest.raises(ValueError, match="each with its own encoder"):
        both.cut(3)


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


@pytest.fixture(scope="module")
def of_two_families(tokenizer, byte_pairs_of, encoder_of, drawn):
    """A function of what makes a task that gives one of BERT's and one of RoBERTa's."""

    def make(kind, *options, **others):
        keras.utils.set_random_seed(1)
        return [
            drawn(kind(encoder, kb.Packer(own, length), *options, **others))
            for encoder, own, length in (
                (encoder_of("Bert", num_layers=1), tokenizer, 15),
                (
                    encoder_of("Roberta", num_layers=1, vocabulary_size=270),
                    byte_pairs_of("Roberta"),
                    11,
                ),
            )
        ]

    return make


class IsLong(keras.layers.Layer):
    """Words of more than three characters, as probabilities."""

    def compute_output_spec(self, words):
        return keras.KerasTensor((None, None, 2))

    def call(self, words):
        long = tf.cast(tf.strings.length(words) > 3, "float32")
        return tf.stack([1 - long, long], axis=-1)


WORDS = ["the", "foxes", "over", "a", "fine", "film"]


def shares_of_words(task, order):
    """The probabilities of labels at the first pieces of words, one word a line."""
    features = task.features({"words": tf.ragged.constant([WORDS])})
    logits = task.outputs_of(features)["logits"].numpy().reshape(-1, 2)[:, order]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return shares[features["word_positions"].values.numpy()]


def test_words_are_tagged_together_whatever_their_pieces(of_two_families, without_graphs):
    one, other = of_two_families(kb.TokenClassifier, ("A", "B"))
    other.labels = ("B", "A")
    words = keras.Input([None], dtype="string")
    model = keras.Model(words, IsLong()(words))
    member = kb.Member(model, labels=("A", "B"), gives="probabilities")
    long = np.array([[float(len(word) > 3)] for word in WORDS])
    alone = [
        shares_of_words(one, [0, 1]),
        shares_of_words(other, [1, 0]),
        np.concatenate([1 - long, long], axis=1),
    ]
    together = ensembles.ensemble([one, other, member], by="mean", weights=(2, 1, 1))
    wanted = (2 * alone[0] + alone[1] + alone[2]) / 4
    [said] = together([WORDS])
    assert [one["label"] for one in said] == ["AB"[row.argmax()] for row in wanted]
    found = [one["probability"] for one in said]
    np.testing.assert_allclose(found, wanted.max(axis=1), atol=1e-5)
    # Of a text the words are those of the first.
    entities = together("the foxes over a fine film")
    np.testing.assert_allclose([one["probability"] for one in entities], found, atol=1e-5)
    votes = sum(np.eye(2)[shares.argmax(axis=1)] for shares in alone).argmax(axis=1)
    [said] = ensembles.ensemble([one, other, member], by="vote")([WORDS])
    assert [one["label"] for one in said] == ["AB"[vote] for vote in votes]
    logs = np.log(alone[0]) + np.log(alone[1])
    [said] = ensembles.ensemble([one, other])([WORDS])
    assert [one["label"] for one in said] == ["AB"[row.argmax()] for row in logs]


CONTEXT = "the lazy dog jumps over a quick brown fox"


def mean_of_answers(members, shares, example):
    """The mean probability of each answer, by where it stands."""
    found = dict[tuple[int, int], float]()
    for member, share in zip(members, shares, strict=True):
        best = member([example])[0]["best_answers"]
        whole = sum(one["probability"] for one in best)  # of blanks alone there is no answer
        for one in best:
            start = one["start"] + (CONTEXT[one["start"]] == " ")
            span = start, one["end"]
            found[span] = found.get(span, 0.0) + share * one["probability"] / whole
    return found


def test_answers_are_put_together_by_where_they_stand(of_two_families, tmp_path, without_graphs):
    members = of_two_families(kb.QuestionAnswerer, stride=2, max_answer_tokens=4)
    example = {"question": "what", "context": CONTEXT}
    path = tmp_path / "said.jsonl"
    kb.answering.write_answers(path, members[1], [example])
    wanted = mean_of_answers(members, (0.75, 0.25), example)
    for other in (members[1], path):
        both = ensembles.ensemble([members[0], other], by="mean", weights=(3, 1))
        [said] = both([example])
        assert said["answer"] == CONTEXT[said["start"] : said["end"]]
        best = {(one["start"], one["end"]): one["probability"] for one in said["best_answers"]}
        assert len(best) == members[0].num_best
        whole = sum(sorted(wanted.values())[-len(best) :])
        assert best == {span: pytest.approx(wanted[span] / whole, abs=1e-4) for span in best}
        assert said["probability"] == pytest.approx(max(wanted.values()) / whole, abs=1e-4)
    model = kb.Member(keras.Sequential([keras.Input([3])]), labels="ab", gives="logits")
    with pytest.raises(ValueError, match="must be a task or a file of answers"):
        ensembles.ensemble([members[0], model])


def test_of_models_that_read_alike_answers_are_averaged_too(tokenizer, config, without_graphs):
    keras.utils.set_random_seed(3)
    config = dataclasses.replace(config, num_layers=1, initializer_range=0.3)
    members = [
        kb.QuestionAnswerer(kb.BertEncoder(config), kb.Packer(tokenizer, 15)) for _ in range(2)
    ]
    both = ensembles.ensemble(members, by="mean")
    assert both.has_other_rows and not both.beside
    wanted = mean_of_answers(members, (0.5, 0.5), ("what", CONTEXT))
    said = both(("what", CONTEXT))
    assert wanted[said["start"], said["end"]] == pytest.approx(max(wanted.values()))
    # The mean of outputs is that of the logits of places.
    outputs = ensembles.ensemble(members)
    assert not outputs.has_other_rows and outputs(("what", CONTEXT)) != said


def test_vectors_are_compared_by_the_mean_of_cosines(of_two_families, tmp_path, without_graphs):
    one, other = of_two_families(kb.SentenceEmbedder)
    other = other.cut(11)
    texts = ["the quick fox", "a film", "over"]
    path = tmp_path / "vectors.csv"
    kb.answering.write_answers(path, other, [{"text": text} for text in texts])
    vectors = [task.embed(texts) for task in (one, other)]
    cosines = [x @ x.T for x in (v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors)]
    text = keras.Input([], dtype="string")
    words = keras.layers.TextVectorization(vocabulary=["fox", "film", "over"], output_mode="count")
    member = kb.Member(keras.Model(text, words(text)), gives="vectors")
    counts = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]], float)  # others first
    counts[0, 0] = 2
    unit = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    for last in (other, path):
        both = ensembles.ensemble([one, last, member], by="mean", weights=(2, 1, 1))
        found = both.embed(texts)
        assert found.shape == (3, 18 + 11 + 4)
        wanted = (2 * cosines[0] + cosines[1] + unit @ unit.T) / 4
        np.testing.assert_allclose(found @ found.T, wanted, atol=1e-5)
    pairs = [{"text": t, "positive": p} for t, p in zip(texts, texts[1:] + texts[:1], strict=True)]
    assert {*both.scored(pairs)} == {*one.score_names}
    with pytest.raises(ValueError, match="none with text 'a dog'"):
        both.embed("a dog")


def test_numbers_of_two_families_are_averaged(of_two_families, without_graphs):
    one, other = of_two_families(kb.TextClassifier, ("value",), problem="regression")
    numbers = [np.array([answer["values"] for answer in task(TEXTS)]) for task in (one, other)]
    both = ensembles.ensemble([one, other], weights=(1, 3))
    found = [answer["values"] for answer in both(TEXTS)]
    np.testing.assert_allclose(found, (numbers[0] + 3 * numbers[1]) / 4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tags", "answers", "vectors"])
def test_what_reads_otherwise_is_served(name, of_two_families, tmp_path, monkeypatch, eagerly):
    monkeypatch.setattr(warmup, "BATCH_SIZES", (2,))
    kind, options, example = {
        "tags": (kb.TokenClassifier, (("O", "B-A", "I-A"),), {"text": CONTEXT}),
        "answers": (kb.QuestionAnswerer, (), {"question": "what", "context": CONTEXT}),
        "vectors": (kb.SentenceEmbedder, (), {"text": CONTEXT}),
    }[name]
    both = ensembles.ensemble(of_two_families(kind, *options), by="mean")
    with pytest.raises(ValueError, match="LiteRT runs one network"):
        kb.export(both, tmp_path / "lite", format="litert")
    path = kb.export(both, tmp_path / "served")
    served = tf.saved_model.load(str(path)).signatures
    assert {*served} == {"serving_default", *both.other_spec}
    answers = served["serving_default"](**{key: tf.constant([x]) for key, x in example.items()})
    with eagerly():
        [(_, wanted)] = both.answer_batches([example])
    for key, value in wanted.items():
        if value.dtype != object:
            np.testing.assert_allclose(answers[key].numpy(), value, atol=1e-4, err_msg=key)
