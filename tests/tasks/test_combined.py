"""Ensembles whose members have rows of their own are neither trained nor given rows."""

import keras
import pytest

import keras_bert as kb


@pytest.fixture(scope="module")
def both(tokenizer, encoder_of):
    one, other = (
        kb.TokenClassifier(
            encoder_of("Bert", num_layers=1), kb.Packer(tokenizer, length), ("A", "B")
        )
        for length in (9, 7)
    )
    return kb.ensemble([one, other])


def test_rows_are_put_together_by_words_alone(both, without_graphs):
    assert both.has_other_rows and [reader.prefix for reader in both.beside] == ["member_1_"]
    example = {"words": ["the", "fox"], "labels": ["A", "B"]}
    assert len(both([example])[0]) == 2
    assert both.scored([example])["accuracy"] in (0.0, 0.5, 1.0)
    with pytest.raises(ValueError, match="train its members, or call `scored`"):
        both.dataset([example], 1)
    ids = {name: keras.ops.ones([1, 9], "int32") for name in both.input_names}
    with pytest.raises(ValueError, match="members of this ensemble have rows of their own"):
        both(ids)
    assert not both.beside[0].member.has_other_rows
