"""Learning a vocabulary: as by plain merging, and the same from the same text."""

import collections
import os
import random
import subprocess
import sys

import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.text import learning

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def dataset(*lines: str, batch_size: int = 3) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(list(lines)).batch(batch_size)


def test_learns_characters_then_pairs_by_frequency():
    lines = dataset("hug " * 10, "pug " * 5, "pun " * 12, "bun " * 4, "hugs " * 5)
    pieces = kb.learn_vocabulary(lines, vocabulary_size=17)
    # The example of Hugging Face's course, with its characters in two positions.
    characters = ("b", "h", "p", "##g", "##n", "##s", "##u")
    assert pieces == (*SPECIAL, *characters, "##ug", "##un", "hug", "pun", "pug")


def plain_merging(counts: dict[str, int], size: int, min_frequency: int) -> list[str]:
    """The same, counted anew for every merge."""
    words = {word: [word[0], *(f"##{c}" for c in word[1:])] for word in counts}
    pieces = sorted({p for ps in words.values() for p in ps}, key=lambda p: (len(p), p))
    while len(pieces) < size:
        pairs = collections.Counter()
        for word, spelled in words.items():
            for pair in zip(spelled, spelled[1:]):  # noqa: B905
                pairs[pair] += counts[word]
        order = {piece: id_ for id_, piece in enumerate(pieces)}
        rank = lambda pair: (-pairs[pair], order[pair[0]], order[pair[1]])  # noqa: B023, E731
        best = min(pairs, key=rank, default=None)
        if best is None or pairs[best] < min_frequency:
            break
        merged = best[0] + best[1].removeprefix("##")
        if merged not in order:
            pieces.append(merged)
        for word, spelled in words.items():
            joined = []
            for piece in spelled:
                # A piece that was just merged is merged no further.
                if joined and (joined[-1], piece) == best:
                    joined[-1] = merged
                else:
                    joined.append(piece)
            words[word] = joined
    return pieces


@pytest.mark.parametrize("seed", range(6))
def test_learns_what_plain_merging_learns(seed):
    rng = random.Random(seed)
    letters = "ab" if seed % 2 else "abcdefg"
    words = ["".join(rng.choices(letters, k=rng.randint(1, 9))) for _ in range(60)]
    counts = {word: rng.randint(1, 30) for word in words}
    lines = dataset(*(f"{word} " * count for word, count in counts.items()), batch_size=7)
    pieces = kb.learn_vocabulary(lines, vocabulary_size=75, min_frequency=1)
    assert list(pieces[5:]) == plain_merging(counts, 70, 1)


CORPUS = (
    "The quick brown fox jumps over the lazy dog; the dogs were lazier, the foxes quicker.",
    "Ünïcödé wörds, 中国人 and ▁underscores▁, jumping foxes overjoyed! " * 3,
    "A tab\there and a very " + "l" * 201 + "ong word, " + "b" * 200 + " and " + "b" * 200,
)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lowercase": False},
        {"lowercase": True, "strip_accents": False},
        {"split_cjk": False},
    ],
    ids=str,
)
def test_what_is_learned_spells_the_text_with_the_same_options(options):
    lines = dataset(*CORPUS)
    pieces = kb.learn_vocabulary(lines, vocabulary_size=120, min_frequency=1, **options)
    assert len(pieces) == 120
    tokenizer = kb.Tokenizer(pieces, **options)
    ids = tokenizer.tokenize(CORPUS)
    num_unknown = int(tf.math.count_nonzero(ids.flat_values == tokenizer.special.unknown))
    assert num_unknown == 1  # the word of 202 characters
    num_characters = sum(len("".join(text.split())) for text in CORPUS)
    assert int(tf.size(ids.flat_values)) < 0.6 * num_characters
    used = {piece for row in tokenizer.tokens(ids).to_list() for piece in row}
    assert any(len(piece) > 20 for piece in used)


def test_pieces_stay_short_enough_to_be_looked_up():
    word = "\U00010428" * 200
    pieces = kb.learn_vocabulary(dataset(*[word] * 3), vocabulary_size=200)
    assert max(len(piece.removeprefix("##")) for piece in pieces) == 64
    tokenizer = kb.Tokenizer(pieces)
    assert tokenizer.special.unknown not in tokenizer.tokenize(word).numpy()


def test_characters_are_kept_by_frequency():
    lines = dataset("aaa bbb ccd", "aab xa")
    pieces = kb.learn_vocabulary(lines, vocabulary_size=40, min_frequency=2)
    assert [piece for piece in pieces[5:] if len(piece.removeprefix("##")) == 1] == (
        ["a", "b", "c", "##a", "##b", "##c"]
    )
    pieces = kb.learn_vocabulary(lines, vocabulary_size=40, max_characters=2)
    assert not any("c" in piece for piece in pieces[5:])
    assert len(kb.learn_vocabulary(lines, vocabulary_size=7)) == 7
    assert kb.learn_vocabulary(lines, vocabulary_size=7)[5:] == ("##a", "##b")


def test_a_text_too_small_gives_fewer_pieces():
    pieces = kb.learn_vocabulary(dataset("ab ab", ""), vocabulary_size=500)
    assert pieces == (*SPECIAL, "a", "##b", "ab")
    assert kb.learn_vocabulary(dataset("", " "), vocabulary_size=500) == SPECIAL


def test_batches_do_not_matter():
    expected = kb.learn_vocabulary(dataset(*CORPUS, batch_size=1), vocabulary_size=90)
    assert kb.learn_vocabulary(dataset(*CORPUS, batch_size=3), vocabulary_size=90) == expected
    assert kb.learn_vocabulary(dataset(*CORPUS[::-1]), vocabulary_size=90) == expected


LEARN = """
import sys, tensorflow as tf, keras_bert as kb
lines = tf.data.Dataset.from_tensor_slices(sys.argv[1:]).batch(2)
print(ascii(kb.learn_vocabulary(lines, vocabulary_size=90)))
"""


@pytest.mark.slow
def test_a_process_with_another_hash_seed_learns_the_same():
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", LEARN, *CORPUS]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    expected = kb.learn_vocabulary(dataset(*CORPUS), vocabulary_size=90)
    assert run.stdout.strip().split("\n")[-1] == ascii(expected)


def test_counting_forgets_the_rarest_words():
    batches = [([b"a", b"b", b"c"], [5, 1, 1]), ([b"a", b"d", b"e"], [1, 3, 1]), ([b"c"], [1])]
    assert learning.count_words(batches, max_words=10) == {"a": 6, "b": 1, "c": 2, "d": 3, "e": 1}
    # Five words after the second batch: b, c and e, at one each, are forgotten.
    assert learning.count_words(batches, max_words=4) == {"a": 6, "d": 3, "c": 1}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (tf.data.Dataset.from_tensor_slices(["a"]), "string batches"),
        (tf.data.Dataset.from_tensors([1, 2]), "string batches"),
        (tf.data.Dataset.from_tensors({"text": ["a"]}), "string batches"),
        (["a"], "string batches"),
    ],
    ids=["unbatched", "numbers", "dict", "list"],
)
def test_refuses_what_is_no_dataset_of_batches(lines, message):
    with pytest.raises(ValueError, match=message):
        kb.learn_vocabulary(lines)


@pytest.mark.parametrize("name", ["vocabulary_size", "min_frequency", "max_characters"])
def test_refuses_numbers_that_are_too_small(name):
    with pytest.raises(ValueError, match=f"{name} must be at least . ?; got 0"):
        kb.learn_vocabulary(dataset("a"), **{name: 0})
