"""Corpora whose every word stands for itself, so that a token tells its document and its place."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.data.pretraining import corpus as corpus_lib
from keras_bert.data.pretraining.order import UNSHUFFLED

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
NUM_WORDS = 9_000


@pytest.fixture(scope="session")
def words():
    """A tokenizer that knows the words w0, w1, ..., from the id 6 on."""
    return kb.Tokenizer((*SPECIAL, ".", *(f"w{i}" for i in range(NUM_WORDS))))


@pytest.fixture(scope="session")
def make_corpus():
    """Makes a corpus of lengths of sentences, in documents, in files, in a new folder.

    Each word is the one after the word before it.
    """

    def make(folder, files):
        folder.mkdir(exist_ok=True)
        first = 0
        for index, documents in enumerate(files):
            lines = []
            for document in documents:
                for size in document:
                    lines.append(" ".join(f"w{i}" for i in range(first, first + size)))
                    first += size
                lines.append("")
            (folder / f"{index}.txt").write_text("\n".join(lines) + "\n")
        assert first <= NUM_WORDS
        return kb.TextCorpus(str(folder / "*.txt"), "blank_lines")

    return make


@pytest.fixture(scope="session")
def document_of(words):
    """Gives the document of each word of a corpus, [V]."""

    def find(corpus):
        documents = np.full(words.vocabulary_size, -1, np.int64)
        for blocks in corpus.blocks(UNSHUFFLED).batch(1000):
            sentences = corpus.read(blocks, words)
            of_token = tf.repeat(sentences.documents, sentences.ids.row_lengths())
            documents[sentences.ids.flat_values.numpy()] = of_token.numpy()
        return documents

    return find


@pytest.fixture(scope="session")
def three_files(make_corpus, tmp_path_factory):
    """A corpus of 13 documents in each file."""
    generators = map(np.random.default_rng, range(3))
    files = [
        [rng.integers(1, 25, rng.integers(1, 30)).tolist() for _ in range(13)] for rng in generators
    ]
    return make_corpus(tmp_path_factory.mktemp("text"), files)


@pytest.fixture
def corpus(three_files, monkeypatch):
    """The same in several blocks."""
    monkeypatch.setattr(corpus_lib, "BLOCK_BYTES", 2000)
    return three_files


@pytest.fixture(scope="session")
def documents(three_files, document_of):
    """[V]: the document of each word of the corpus."""
    return document_of(three_files)
