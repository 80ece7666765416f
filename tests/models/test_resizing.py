import keras
import numpy as np
import pytest

import keras_bert as kb


def inputs(length=7):
    ids = np.random.default_rng(5).integers(5, 97, [2, length]).astype("int32")
    return {
        "token_ids": ids,
        "segment_ids": ids % 2,
        "padding_mask": np.ones_like(ids),
        "mask_positions": np.array([[1, 2, 6], [3, 0, 0]], "int32"),
    }


def test_old_pieces_at_old_positions_give_the_same(config):
    model = kb.BertPretrainer(kb.BertEncoder(config))
    larger = kb.resize(model, max_sequence_length=50, vocabulary_size=107)
    before, after = model(inputs()), larger(inputs())
    assert after["masked_lm"].shape == (2, 3, 107)
    np.testing.assert_allclose(after["masked_lm"][..., :101], before["masked_lm"], atol=1e-6)
    np.testing.assert_allclose(after["next_sentence"], before["next_sentence"], atol=1e-6)
    assert larger(inputs(50))["masked_lm"].shape == (2, 3, 107)


def test_new_positions_repeat_the_old_and_new_pieces_are_drawn(config):
    encoder = kb.BertEncoder(config)
    larger = kb.resize(encoder, max_sequence_length=50, vocabulary_size=107)
    old, new = (np.array(e.embeddings.position.embeddings) for e in (encoder, larger))
    np.testing.assert_array_equal(new, old[np.arange(50) % 23])
    drawn = np.array(larger.embeddings.token.embeddings)[101:]
    assert 0.01 < drawn.std() < 0.03 and np.unique(drawn).size == drawn.size


def test_new_pieces_may_begin_as_the_mean_of_their_parts(config, drawn):
    """In rows that are spare too; the rest is as it was."""
    model = drawn(kb.BertPretrainer(kb.BertEncoder(config), None))
    larger = kb.resize(model, vocabulary_size=102, parts={100: (5, 7, 7), 101: (9,)})
    for old, new in zip(tables(model), tables(larger), strict=True):
        np.testing.assert_array_equal(new[:100], old[:100])
        np.testing.assert_allclose(new[100], (old[5] + 2 * old[7]) / 3, atol=1e-6)
        np.testing.assert_array_equal(new[101], old[9])


def tables(model):
    bias = next(v for v in model.variables if v.path == "masked_lm/bias")
    return np.array(model.encoder.token_embedding.embeddings), np.array(bias)


def test_a_resized_model_is_one_of_the_same_kind(config):
    """Its sequences, precision, dropout, and what the user set are as they were."""
    encoder = kb.BertEncoder(config, dtype="mixed_bfloat16", name="mine")
    encoder.recompute = True
    encoder.blocks[0].trainable = False
    model = kb.BertPretrainer(encoder, "sentence_order", dtype="mixed_bfloat16", num_sequences=3)
    states = [variable for variable in model.variables if "seed" in variable.path]
    for i, state in enumerate(states):
        state.assign([i, 7 * i + 1])
    larger = kb.resize(model, vocabulary_size=107)
    assert (larger.sentence_objective, larger.num_sequences) == ("sentence_order", 3)
    assert larger.encoder.name == "mine" and larger.encoder.recompute
    ours, theirs = model(inputs()), larger(inputs())
    assert theirs["sentence_order"].shape == (2, 3, 2)
    np.testing.assert_allclose(theirs["masked_lm"][..., :101], ours["masked_lm"], atol=1e-6)
    trained = [{weight.path for weight in m.trainable_weights} for m in (model, larger)]
    assert trained[0] == trained[1] and not any("layer_0" in path for path in trained[0])
    again = {v.path: v.numpy().tolist() for v in larger.variables if "seed" in v.path}
    assert again == {state.path: state.numpy().tolist() for state in states} and len(again) == 5


def test_what_stands_on_no_encoder_is_refused():
    with pytest.raises(ValueError, match="must be an encoder, a pretrainer or a task"):
        kb.resize(keras.Sequential([keras.layers.Dense(3)]), vocabulary_size=107)


@pytest.mark.parametrize("change", [{"max_sequence_length": 22}, {"vocabulary_size": 96}])
def test_a_model_only_grows(change, config):
    with pytest.raises(ValueError, match=f"{next(iter(change))} must be at least its"):
        kb.resize(kb.BertEncoder(config), **change)
