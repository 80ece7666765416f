"""The only fixtures: a small vocabulary, its tokenizer, and the reference data if it is there."""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pytest

import keras_bert as kb

SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"

# Letters as first and as later pieces, so that every ASCII word has a spelling, and a few words.
VOCABULARY = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
    *"0123456789.,;:!?-'()[]",
    *("the", "quick", "brown", "fox", "jump", "over", "lazy", "dog", "fine", "film"),
    *("un", "aff", "##ord", "##able", "##ed", "##ing", "##est", "want"),
)


@pytest.fixture(scope="session")
def vocabulary() -> tuple[str, ...]:
    """97 pieces: the special tokens, letters, digits, punctuation, and a few words."""
    return VOCABULARY


@pytest.fixture(scope="session")
def tokenizer(vocabulary) -> kb.Tokenizer:
    """An uncased tokenizer over `vocabulary`."""
    return kb.Tokenizer(vocabulary)


@pytest.fixture(scope="session")
def config() -> kb.BertConfig:
    """A small model with odd sizes and more rows of embeddings than `vocabulary` has pieces."""
    return kb.BertConfig(
        vocabulary_size=101,
        num_layers=2,
        num_heads=3,
        hidden_dim=18,
        intermediate_dim=31,
        max_sequence_length=23,
    )


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The reference data beside the checkout; tests that need it are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip(f"the reference data {SHARED.name}/ is not beside this checkout")
    return SHARED
