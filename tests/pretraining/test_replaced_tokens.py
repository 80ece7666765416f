"""A detector and a generator begin together: fresh, or from where they were saved."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.checkpoints.weights import by_path
from keras_bert.pretraining import detection_flops, extended, with_generator

LINES = tf.data.Dataset.from_tensors(["The films, films of the film", "foxes filmed"])


@pytest.fixture
def fresh(encoder_of, tokenizer):
    encoder = encoder_of("Electra", num_layers=1)
    return kb.Checkpoint(encoder.config, tokenizer, encoder, None)


def own_weights(generator, detector):
    shared = {id(weight) for weight in detector.weights}
    return {p: np.array(w) for p, w in by_path(generator).items() if id(w) not in shared}


def test_what_was_saved_goes_on_with_its_generator(fresh, drawn, tmp_path):
    before, told = with_generator(fresh)
    assert told == "The generator is new, 1 layers of 4."
    kb.save(drawn(before.model), tmp_path / "run", fresh.tokenizer)
    found = kb.load(tmp_path / "run")
    assert type(found.model) is kb.ReplacedTokenDetector
    after, told = with_generator(found, tmp_path / "run")
    assert told == (
        f"All weights are the checkpoint's. The generator is that of {tmp_path}/run/generator."
    )
    for old, new in zip(before.model.weights, after.model.weights, strict=True):
        if "pooler" not in old.path:
            np.testing.assert_array_equal(new, old, err_msg=old.path)
    with pytest.raises(ValueError, match="share=0.5 is a width of 9, but .*generator has 4: leave"):
        with_generator(found, tmp_path / "run", 0.5)
    # As what it is, the generator is a masked language model.
    generator = kb.load(tmp_path / "run" / "generator").model
    for path, value in own_weights(before.model.generator, before.model.detector).items():
        if "pooler" not in path:
            np.testing.assert_array_equal(by_path(generator)[path], value)
    # A model that is saved there alone leaves no generator that is not its own.
    kb.save(kb.ReplacedTokenDetector(found.encoder), tmp_path / "run", fresh.tokenizer)
    assert not (tmp_path / "run" / "generator").exists()
    _, told = with_generator(kb.load(tmp_path / "run"), tmp_path / "run")
    assert "is new, since there is no" in told


def test_what_does_not_fit_is_refused(fresh, encoder_of, tokenizer, tmp_path):
    bert = encoder_of("Bert", num_layers=1)
    with pytest.raises(ValueError, match="by an ELECTRA, but this is a Bert: choose --preset=elec"):
        with_generator(kb.Checkpoint(bert.config, tokenizer, bert, None))
    other = encoder_of("Electra", num_layers=1, embedding_dim=12)
    for model, message in (
        (kb.BertPretrainer(other, None), "agree in these, but embedding_dim is 12 and 11"),
        (kb.ReplacedTokenDetector(other), "generator must hold a generator, an ElectraForMaskedLM"),
    ):
        kb.save(model, tmp_path / "generator", tokenizer)
        with pytest.raises(ValueError, match=message):
            with_generator(fresh, tmp_path)


@pytest.mark.slow
def test_both_get_the_pieces_of_a_domain(fresh, drawn):
    before, _ = with_generator(fresh)
    drawn(before.model)
    larger = extended(before, "7", LINES)
    id_of = larger.tokenizer.vocabulary.index
    new, parts = id_of("films"), [id_of("film"), id_of("##s")]
    for path in ("generator/masked_lm/bias", "embeddings/token/embeddings"):
        old, now = (
            next(np.array(w) for w in one.model.weights if w.path == path)
            for one in (before, larger)
        )
        np.testing.assert_allclose(now[new], old[parts].mean(axis=0), atol=1e-6)
        np.testing.assert_array_equal(now[:97], old[:97])
    assert type(larger.model) is kb.ReplacedTokenPretrainer


def test_operations_are_those_of_both(fresh):
    checkpoint, _ = with_generator(fresh, share=1.0)
    model, length = checkpoint.model, 20
    assert model.generator.encoder.config == fresh.config
    # The detector's last block is for all tokens, and its head has one output.
    per_token = sum(fresh.config.block_flops(0, length)) + fresh.config.embedding_flops()
    expected = kb.num_training_flops(fresh.config, length, 3) + 3 * length * (
        per_token + 2 * 18 * 19
    )
    assert detection_flops(model, length, 3) == expected
