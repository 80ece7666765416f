import numpy as np
import pytest

import keras_bert as kb
from keras_bert.tasks.static_embedding import principal, weights_of


@pytest.fixture(scope="module")
def teacher(tokenizer, encoder_of, drawn):
    return drawn(kb.SentenceEmbedder(encoder_of("Bert", num_layers=1), kb.Packer(tokenizer, 9)))


def test_a_piece_has_what_is_left_of_its_vector(teacher, tokenizer, without_graphs):
    counts = np.arange(97)
    task = kb.static_embedder(teacher, 18, counts)
    table = np.array(task.encoder.token_embedding.embeddings)
    assert table.shape == (97, 18) and not table[:5].any()
    # With all dimensions vectors are only turned: their distances are those of the teacher's.
    words = [tokenizer.vocabulary.index(word) for word in ("fox", "dog", "film")]
    wanted = teacher.embed(["fox", "dog", "film"])
    shares = (counts[words] + 1) / (counts[5:] + 1).sum()
    own = table[words] * ((1e-4 + shares) / 1e-4)[:, None]
    for one, other in ((0, 1), (1, 2)):
        distance = np.linalg.norm(wanted[one] - wanted[other])
        assert np.linalg.norm(own[one] - own[other]) == pytest.approx(distance, rel=1e-3)


def test_frequent_pieces_weigh_less():
    by_rank = weights_of(np.arange(50))
    assert (np.diff(by_rank) > 0).all()
    assert (np.diff(weights_of(np.arange(50), np.arange(50))) < 0).all()


def test_components_are_those_that_differ_most():
    generator = np.random.default_rng(5)
    vectors = generator.normal(size=(40, 6)) * [1, 9, 1, 4, 1, 1] + 3
    found = principal(vectors, 2)
    singular = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), singular[:2], rtol=1e-6)


def test_what_has_no_table_is_refused(teacher, encoder_of, byte_pairs_of):
    with pytest.raises(ValueError, match="between 1 and the 18 of the teacher's vectors, not 19"):
        kb.static_embedder(teacher, 19)
    pairs = byte_pairs_of("Roberta")
    encoder = encoder_of("Roberta", vocabulary_size=pairs.vocabulary_size, num_layers=1)
    other = kb.SentenceEmbedder(encoder, kb.Packer(pairs, 9))
    with pytest.raises(ValueError, match="cut into word pieces, but .* a BytePairTokenizer"):
        kb.static_embedder(other, 3)
