import dataclasses
import json

import keras
import numpy as np
import pytest

import keras_bert as kb
from keras_bert.models.pruning import check_has_blocks, silent_parts
from keras_bert.models.static import StaticEncoder

HEADS, COLUMNS = {0: [1], 2: [0, 2]}, {0: [3, 5, 30], 1: [0], 2: [1, 2]}
EXAMPLES = [
    {"sentence": "the quick fox", "label": "good"},
    {"sentence": "a lazy dog", "label": "bad"},
]


@pytest.fixture(scope="module")
def task(encoder_of, tokenizer, drawn):
    return classifier(encoder_of("Bert"), tokenizer, drawn)


def classifier(encoder, tokenizer, drawn):
    encoder.blocks[1].trainable = False
    task = kb.TextClassifier(encoder, kb.Packer(tokenizer, 11), ["bad", "good"])
    drawn(task)
    return task


def inputs_of(encoder):
    ids = np.arange(5, 12, dtype="int32")[None]
    of_all = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids * 0 + 1}
    return {name: of_all[name] for name in encoder.INPUTS}


def of_good(answers):
    return [answer["probabilities"][1] for answer in answers]


def silenced(task):
    """The task with the rows behind the parts zero."""
    other = task.copy()
    width = task.encoder.config.head_dim
    for layer, block in enumerate(other.encoder.blocks):
        for kernel, parts in (
            (block.attention.projection.kernel, HEADS.get(layer, ())),
            (block.projection.kernel, COLUMNS.get(layer, ())),
        ):
            size = width if kernel is block.attention.projection.kernel else 1
            values = np.array(kernel)
            for part in parts:
                values[part * size : (part + 1) * size] = 0
            kernel.assign(values)
    return other


@pytest.mark.parametrize("family", ["Bert", "ModernBert"])
def test_it_computes_what_is_computed_without_the_parts(
    encoder_of, family, tokenizer, drawn, without_graphs
):
    task = classifier(encoder_of(family), tokenizer, drawn)
    smaller, other = kb.prune(task, heads=HEADS, columns=COLUMNS), silenced(task)
    config = smaller.encoder.config
    assert config.layer_heads == (2, 3, 1)
    assert config.layer_intermediate_dims == (28, 30, 29)
    wanted, answers = other(EXAMPLES), smaller(EXAMPLES)
    assert of_good(answers) == pytest.approx(of_good(wanted), abs=1e-5)
    assert silent_parts(other) == {"heads": HEADS, "columns": COLUMNS}
    assert silent_parts(smaller) == {"heads": {}, "columns": {}}
    assert of_good(answers) != pytest.approx(of_good(task(EXAMPLES)), abs=1e-3)
    assert not any(weight.trainable for weight in smaller.encoder.blocks[1].weights)
    gone = task.count_params() - smaller.count_params()
    width, hidden = config.head_dim, config.hidden_dim
    # A gated network has two columns for one, and no biases.
    matrices, biases = (2, 1) if family == "Bert" else (3, 0)
    of_head, of_column = 4 * hidden * width + 3 * width * biases, matrices * hidden + biases
    assert gone == 3 * of_head + 6 * of_column
    flops = [kb.num_inference_flops(one.encoder.config, 11) for one in (task, smaller)]
    seen = 3 * 11 if family == "Bert" else 11 + 2 * 5  # by all heads that are gone
    per_token = width * (3 * 8 * hidden + 4 * seen) + 6 * 2 * matrices * hidden
    assert flops[0] - flops[1] == 11 * per_token


def test_a_pruned_task_is_saved_opened_and_trained(task, tmp_path, without_graphs):
    smaller = kb.prune(task, heads=HEADS, columns=COLUMNS)
    kb.save(smaller, tmp_path / "saved", smaller.tokenizer)
    content = json.loads((tmp_path / "saved" / "config.json").read_text())
    assert (content["model_type"], content["layer_heads"]) == ("keras_bert", [2, 3, 1])
    opened = kb.finetuning.load_task(tmp_path / "saved")
    smaller.save(tmp_path / "task.keras")
    of_keras = keras.models.load_model(tmp_path / "task.keras")
    wanted = smaller(EXAMPLES)
    for other in (opened, of_keras, smaller.copy()):
        assert other.encoder.config == smaller.encoder.config
        assert of_good(other(EXAMPLES)) == pytest.approx(of_good(wanted), abs=1e-6)
    opened.compile(kb.Muon(1e-2), **opened.objective())
    opened.fit(opened.dataset(EXAMPLES, batch_size=2), verbose=0)
    twice = kb.prune(opened, heads={1: [0]}, layers=[0])
    assert twice.encoder.config.layer_heads == (2, 1)
    googles = dataclasses.replace(smaller.encoder.config, activation="gelu_tanh")
    with pytest.raises(ValueError, match="heads or columns of this model were pruned"):
        kb.save_google(kb.BertEncoder(googles), tmp_path / "google", opened.tokenizer)


def test_blocks_of_one_size_are_a_plain_bert(task, tmp_path):
    smaller = kb.prune(task, columns={0: [0], 1: [5], 2: [9]}, layers=[2])
    config = smaller.encoder.config
    assert (config.num_layers, config.intermediate_dim, config.is_pruned) == (2, 30, False)
    np.testing.assert_array_equal(
        smaller.encoder.blocks[1].intermediate.kernel,
        np.delete(np.array(task.encoder.blocks[1].intermediate.kernel), 5, axis=1),
    )


def test_blocks_go_from_every_family(encoder_of):
    encoder = encoder_of("ModernBert", num_layers=3)
    smaller = kb.prune(encoder, layers=[2])
    assert smaller.config.num_layers == 2
    for weight, old in zip(smaller.blocks[1].weights, encoder.blocks[1].weights, strict=True):
        np.testing.assert_array_equal(weight, old)
    with pytest.raises(ValueError, match="leave out the last ones, and do not keep"):
        kb.prune(encoder, layers=[0])


@pytest.mark.parametrize("family", ["Roberta", "DistilBert", "Electra", "ModernBert"])
def test_heads_and_columns_go_from_every_family_and_its_files(
    encoder_of, family, drawn, tmp_path, tokenizer, byte_pairs_of, without_graphs
):
    reader = byte_pairs_of(family) if family == "Roberta" else tokenizer
    encoder = drawn(encoder_of(family, vocabulary_size=reader.vocabulary_size))
    smaller = kb.prune(encoder, heads=HEADS, columns=COLUMNS)
    kb.save(smaller, tmp_path, reader)
    content = json.loads((tmp_path / "config.json").read_text())
    assert content["model_type"] == f"keras_bert_{family.lower()}"
    assert content["layer_intermediate_dims"] == [28, 30, 29]
    opened = kb.load(tmp_path).encoder
    assert opened.config == smaller.config
    wanted = smaller(inputs_of(smaller))["sequence_output"]
    found = opened(inputs_of(opened))["sequence_output"]
    np.testing.assert_array_equal(found, wanted)


def test_a_probe_says_what_is_gone(task, without_graphs):
    smaller = kb.prune(task.encoder, heads=HEADS)
    scores = np.asarray(smaller.probe()(inputs_of(smaller))["attention_scores"])
    sums = scores.sum(axis=(1, 3, 4)) > 0
    assert sums.tolist() == [[True, True, False], [True] * 3, [True, False, False]]


def test_a_table_of_vectors_has_nothing_to_take(encoder_of):
    check_has_blocks(kb.BertConfig.preset("tiny"))
    table = StaticEncoder(kb.StaticConfig(vocabulary_size=97))
    with pytest.raises(ValueError, match="a table of vectors has none: make a smaller one"):
        kb.prune(table, columns={0: [0]})


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"heads": {3: [0]}}, "heads name block 3, but the model's are 0 to 2"),
        ({"heads": {0: [3]}}, "The heads of block 0 are 0 to 2, and none is 3"),
        ({"columns": {1: range(31)}}, "All 31 columns of block 1 would be gone"),
        ({"layers": [0, 1, 2]}, "All 3 layers of the model would be gone"),
        ({"layers": [-1]}, "none is -1"),
    ],
)
def test_what_is_not_there_is_not_removed(task, parts, message):
    with pytest.raises(ValueError, match=message):
        kb.prune(task, **parts)


def test_only_models_are_pruned():
    with pytest.raises(ValueError, match="must be an encoder, a pretrainer or a task"):
        kb.prune(keras.Sequential())


def test_fewer_blocks_are_those_at_equal_distances(config, drawn):
    model = drawn(kb.BertPretrainer(kb.BertEncoder(dataclasses.replace(config, num_layers=4))))
    short, again = kb.shorten(model, 3), kb.shorten(model, 4)
    for i, kept in enumerate((0, 2, 3)):
        blocks = short.encoder.blocks[i], model.encoder.blocks[kept]
        for own, old in zip(*(block.weights for block in blocks), strict=True):
            np.testing.assert_array_equal(own, old)
    # The rest, the heads among it, is as it was.
    for own, old in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(own, old)
    with pytest.raises(ValueError, match="between 1 and the 4 that the model has, not 5"):
        kb.shorten(model, 5)
