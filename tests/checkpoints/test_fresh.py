"""New weights have the family and size of a preset, and the pieces that such a family has."""

import pytest

import keras_bert as kb
from keras_bert.checkpoints.fresh import FAMILIES, fresh, preset_of


@pytest.mark.parametrize("family", FAMILIES)
def test_a_preset_names_family_and_size(family):
    name = f"{family}_tiny" if family else "tiny"
    config, _ = FAMILIES[family]
    assert preset_of(name) == config.preset("tiny")
    with pytest.raises(ValueError, match="A preset is one of .*'tiny'.* not 'huge'"):
        preset_of(name.replace("tiny", "huge"))


def test_a_family_that_is_not_there_is_refused(tokenizer):
    for name in ("robert_tiny", "roberta_xlm_base"):
        with pytest.raises(ValueError, match=f"one of distilbert, .*, not '{name}'"):
            preset_of(name)
        with pytest.raises(ValueError, match=f"one of distilbert, .*, not '{name}'"):
            fresh(tokenizer, name)


def test_a_fresh_model_is_of_a_family_that_has_such_pieces(tokenizer, byte_pairs_of):
    roberta = fresh(byte_pairs_of("Roberta"), "roberta_tiny", dropout=0.25)
    assert roberta.config.dropout == roberta.config.attention_dropout == 0.25
    assert roberta.config.padding_id == 1
    assert type(roberta.encoder) is kb.RobertaEncoder and roberta.config.vocabulary_size == 263
    bert = fresh(tokenizer, "tiny", {"positions": "sinusoidal"})
    assert (bert.config.positions, bert.config.dropout) == ("sinusoidal", 0.1)
    assert fresh(tokenizer, "modernbert_tiny").tokenizer is tokenizer


@pytest.mark.parametrize(
    ("kind", "preset", "changes", "message"),
    [
        (None, "roberta_base", {}, "roberta_base must be of byte pairs, but is of word pieces"),
        ("Roberta", "tiny", {}, "of tiny must be of word pieces, but is of byte pairs"),
        ("Roberta", "electra_base", {}, "of electra_base must be of word pieces, but is of byte"),
        ("Roberta", None, {"positions": "learned"}, "of BERT alone, roberta_base has none: leave"),
    ],
)
def test_what_a_family_does_not_have_is_refused(
    kind, preset, changes, message, tokenizer, byte_pairs_of
):
    own = byte_pairs_of(kind) if kind else tokenizer
    with pytest.raises(ValueError, match=message):
        fresh(own, preset, changes)
