import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.tasks.teacher import narrowed

EXAMPLES = [{"sentence": "the quick brown fox"}, {"sentence": "a dog"}, {"sentence": "fine film"}]


@pytest.fixture(scope="module")
def members(tokenizer, encoder_of, byte_pairs_of, drawn):
    """Two classifiers of different families, with different tokenizers."""
    pairs = byte_pairs_of("Roberta")
    of_pairs = encoder_of("Roberta", vocabulary_size=pairs.vocabulary_size, num_layers=1)
    both = ((encoder_of("Bert", num_layers=1), tokenizer), (of_pairs, pairs))
    labels = ("bad", "good", "so")
    return [drawn(kb.TextClassifier(e, kb.Packer(t, 19), labels)) for e, t in both]


def test_several_teachers_say_their_mean_each_from_its_own_rows(members, eagerly):
    teacher = kb.Teacher(members)
    columns = members[0].input_columns(EXAMPLES)
    with eagerly():
        said = teacher.said(EXAMPLES, columns)["logits"]
        alone = [one.outputs_of(one.features(columns))["logits"] for one in members]
    np.testing.assert_allclose(said, np.mean(alone, axis=0), atol=1e-5)
    # It is computed once.
    assert teacher.said(EXAMPLES, {})["logits"] is said


def test_a_teacher_is_of_one_kind(members, tokenizer):
    other = kb.SentenceEmbedder(members[0].encoder, members[0].packer)
    with pytest.raises(ValueError, match="of one kind, .* but is SentenceEmbedder, TextClassifier"):
        kb.Teacher([*members, other])
    with pytest.raises(ValueError, match="at least one, but is nothing"):
        kb.Teacher([])


def test_narrower_vectors_keep_their_products():
    generator = np.random.default_rng(3)
    # Of seven dimensions three are used.
    vectors = generator.normal(size=(9, 2, 3)) @ generator.normal(size=(3, 7))
    narrow = narrowed(tf.constant(vectors, tf.float32), 3).numpy()
    assert narrow.shape == (9, 2, 3)
    flat, short = vectors.reshape(18, 7), narrow.reshape(18, 3)
    np.testing.assert_allclose(short @ short.T, flat @ flat.T, atol=1e-3)
