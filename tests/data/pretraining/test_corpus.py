"""TextCorpus: what is refused, what is a sentence, and the order of blocks."""

import bz2
import gzip
import re

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.data.pretraining import corpus as corpus_lib
from keras_bert.data.pretraining.corpus import TextCorpus
from keras_bert.data.pretraining.documents import MAX_LINE_BYTES
from keras_bert.data.pretraining.order import UNSHUFFLED, Order


def write(folder, **files):
    """Files name=text or bytes, as name.txt."""
    for name, text in files.items():
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        (folder / f"{name}.txt").write_bytes(data)
    return str(folder / "*.txt")


def sentences_of(corpus, **order):
    """[(sentence, document)] of an epoch, without the spaces that sentences begin with."""
    found = []
    for block in corpus.blocks(Order(**{"shuffle": False, **order})).batch(3):
        split = corpus.split(block)
        strings = [string.decode("utf-8").removeprefix(" ") for string in split.ids.numpy()]
        found += zip(strings, split.documents.numpy().tolist(), strict=True)
    return found


def strings_of(corpus, **order):
    return [sentence for sentence, _ in sentences_of(corpus, **order)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? 4 is a digit.", ["One.", "Two!", "Three?", "4 is a digit."]),
        ('He said "Go." Then he went.', ['He said "Go."', "Then he went."]),
        ("“Go!” she said. “Now.”", ["“Go!” she said.", "“Now.”"]),
        ("Wait... what? (Yes.) No", ["Wait... what?", "(Yes.)", "No"]),
        ("At 3.5 e.g. this. Über", ["At 3.5 e.g. this.", "Über"]),
        # Abbreviations are not recognized.
        ("Mr. Smith", ["Mr.", "Smith"]),
        ("你好。“走吧！”他说……好", ["你好。", "“走吧！”", "他说……", "好"]),
        ("はい。「ええ。」と", ["はい。", "「ええ。」", "と"]),
        ("Lines are\njoined by\r\na space.\n", ["Lines are joined by a space."]),
        ("A heading\n\n\nA paragraph\n", ["A heading", "A paragraph"]),
        ("  indented\n\u3000\u3000\nnext", ["indented", "next"]),
        ("\n\nno line feed at the end", ["no line feed at the end"]),
        ("\ufeffmarked", ["marked"]),
        ("a tab. \tThen", ["a tab.", "Then"]),
    ],
)
def test_sentences_of_a_file(tmp_path, text, sentences):
    assert strings_of(TextCorpus(write(tmp_path, a=text))) == sentences


def test_byte_level_sentences_are_the_pieces_of_their_text(tmp_path, byte_pairs_of, tokenizer):
    paragraphs = (
        "A fox sat. It was\nfine!  “Go,” said  he.",
        "你好。 走吧！他说 no.",
        "\t Last. One",
    )
    corpus = TextCorpus(write(tmp_path, a="\n\n".join(paragraphs)))
    [blocks] = corpus.blocks(UNSHUFFLED).batch(3)
    # Of several spaces one is left; a new paragraph begins with none.
    texts = ["A fox sat. It was fine! “Go,” said  he.", "你好。 走吧！他说 no.", "Last. One"]
    for own in (byte_pairs_of("Roberta"), tokenizer):
        found = corpus.read(blocks, own).ids
        assert found.nrows() == 8
        assert (
            found.flat_values.numpy().tolist() == own.tokenize(texts).flat_values.numpy().tolist()
        )


def test_blank_lines_separate_documents(tmp_path):
    text = "\nOne. Two\nthree\n\n \t\nfour.\n\n\nFive\n\n"
    corpus = TextCorpus(write(tmp_path, a=text, b="six\n"), "blank_lines")
    found = sentences_of(corpus)
    assert [sentence for sentence, _ in found] == ["One.", "Two", "three", "four.", "Five", "six"]
    documents = [document for _, document in found]
    assert len(set(documents[:3])) == 1 and len(set(documents)) == 4
    assert documents == sorted(documents)
    assert corpus.num_documents == 4 and corpus.num_lines == 11


def test_ends_of_sentences_at_ends_of_lines_end_no_document(tmp_path):
    text = "一。二！\n三？ \n“四。”\n\v\n五……\nSix. \nSeven.\n"
    found = sentences_of(TextCorpus(write(tmp_path, a=text), "blank_lines"))
    assert found == [
        *(("一。", 0), ("二！", 0), ("三？", 0), ("“四。”", 0)),
        *(("五……", 1), ("Six.", 1), ("Seven.", 1)),
    ]


@pytest.mark.parametrize("documents", ["files", "blank_lines"])
def test_small_blocks_give_the_same_sentences(tmp_path, monkeypatch, documents):
    text = "\n".join(f"Line {i}.\n" if i % 7 == 0 else f"Line {i}." for i in range(311))
    corpus = TextCorpus(write(tmp_path, a=text, b=text), documents)
    whole = sentences_of(corpus)
    monkeypatch.setattr(corpus_lib, "BLOCK_BYTES", 100)
    assert corpus.blocks(UNSHUFFLED).reduce(0, lambda n, _: n + 1) > 40
    assert sentences_of(corpus) == whole
    assert len(whole) == 622
    assert len({document for _, document in whole}) == corpus.num_documents


def test_blocks_are_of_bounded_size(tmp_path):
    text = "".join(f"This is line {i} of a long text.\n\n" for i in range(20_000))
    corpus = TextCorpus(write(tmp_path, a=text), "blank_lines")
    sizes = [len(block["text"].numpy()) for block in corpus.blocks()]
    assert len(sizes) > 20
    assert max(sizes) < 1.2 * corpus_lib.BLOCK_BYTES


def test_gzip_and_lists_of_patterns(tmp_path):
    write(tmp_path, a="plain.", b="another.")
    # What counts is the content, not the name.
    (tmp_path / "c.txt").write_bytes(gzip.compress(b"zipped.\n"))
    pattern = [tmp_path / "a.txt", tmp_path / "[bc].txt"]
    corpus = TextCorpus(pattern)
    assert strings_of(corpus) == ["plain.", "another.", "zipped."]
    assert strings_of(TextCorpus(",".join(map(str, pattern)))) == strings_of(corpus)
    assert corpus.files == tuple(str(tmp_path / f"{name}.txt") for name in "abc")
    assert (corpus.num_files, corpus.num_lines, corpus.num_bytes) == (3, 3, 6 + 8 + 8)


def test_lines_are_all_sentences(tmp_path):
    corpus = TextCorpus(write(tmp_path, a="One. Two.", b="Three."))
    assert np.concatenate(list(corpus.lines().as_numpy_iterator())).tolist() == [
        *(b"One.", b" Two.", b"Three.")
    ]


def test_empty_files_are_left_out_and_named(tmp_path):
    pattern = write(tmp_path, a="", b="text", c=" \n\n")
    corpus = TextCorpus(pattern)
    assert corpus.num_files == 1
    assert corpus.empty_files == (str(tmp_path / "a.txt"), str(tmp_path / "c.txt"))
    assert "2 empty files left out" in corpus.summary()
    assert strings_of(corpus) == ["text"]


def test_marks_and_nuls_are_counted(tmp_path):
    corpus = TextCorpus(write(tmp_path, a=b"\xef\xbb\xbfone\0two\0", b="three"))
    assert "1 byte order marks dropped" in corpus.summary()
    assert "2 NUL characters" in corpus.summary()


LONG = b"x" * (MAX_LINE_BYTES + 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"fine\nM\xfcnchen\n", r"a\.txt:2 is not: byte 0xfc at offset 6.*iconv -f cp1252"),
        (b"\xff\xfea\0", r"a\.txt:1 is not: byte 0xff at offset 0.*iconv -f utf-16"),
        (b"cut \xe4\xb8", r"a\.txt:1 is not: byte 0xe4 at offset 4"),
        (b"one\n" * 400_000 + b"M\xfcnchen", r"a\.txt:400001 is not: .* at offset 1600001"),
        (b"one\n" + LONG + b"\n", r"a\.txt:2 is\..*Break the text into lines"),
        (LONG, r"longer than 1048576 bytes, but .*a\.txt:1 is"),
        (b"y\n" * 10 + LONG[:-1] + b"\xe4", r"a\.txt:11 is\."),
        (b"one\ntwo\rthree\n", r"a\.txt:2 holds a carriage return.*tr"),
        (b"", "must hold text, but all 1 files"),
        (b"\x1f\x8bno gzip", r"a\.txt.*not a whole gzip file"),
        (gzip.compress(b"some text\n" * 100, mtime=0)[:-9], r"a\.txt.*not a whole gzip file"),
    ],
)
def test_the_scan_refuses_with_file_and_line(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        TextCorpus(write(tmp_path, a=content))


def test_lines_up_to_the_limit_are_read(tmp_path):
    corpus = TextCorpus(write(tmp_path, a=b"one\n" + LONG[:-1] + b"\nthree"))
    assert corpus.num_lines == 3
    # A block holds one of these lines, and a paragraph ends with its block.
    assert [len(one) for one in strings_of(corpus)] == [3, len(LONG) - 1, 5]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{}/*.nothing", "matches none"),
        ("{}/a.txt,{}/b.txt", r"b\.txt' matches none"),
        (" ", "' ' must name"),
    ],
)
def test_patterns_must_match(tmp_path, pattern, message):
    write(tmp_path, a="text")
    with pytest.raises(ValueError, match=message):
        TextCorpus(pattern.replace("{}", str(tmp_path)))


def test_unknown_formats_are_refused(tmp_path):
    with pytest.raises(ValueError, match="documents must be one of"):
        TextCorpus(write(tmp_path, a="text"), "lines")


@pytest.fixture
def many(tmp_path, monkeypatch):
    """11 files of unequal length in small blocks."""
    monkeypatch.setattr(corpus_lib, "BLOCK_BYTES", 64)
    files = {
        f"f{i:02}": "\n".join(f"File {i} line {j}.\n" for j in range(1 + 5 * i)) for i in range(11)
    }
    return TextCorpus(write(tmp_path, **files))


@pytest.mark.parametrize(("shuffle", "number"), [(True, 1), (True, 3), (False, 2), (True, 11)])
def test_shards_are_disjoint_and_complete(many, shuffle, number):
    parts = [
        strings_of(many, seed=3, epoch=4, shard=(index, number), shuffle=shuffle)
        for index in range(number)
    ]
    together = [sentence for part in parts for sentence in part]
    assert len(together) == len(set(together)) == many.num_lines // 2 + 6
    assert set(together) == set(strings_of(many))


def test_the_order_is_a_pure_function_of_seed_and_epoch(many):
    tf.random.set_seed(1)
    one = strings_of(many, seed=3, epoch=4, shuffle=True)
    tf.random.set_seed(2)
    assert strings_of(many, seed=3, epoch=tf.constant(4, tf.int64), shuffle=True) == one
    assert sorted(one) == sorted(strings_of(many))
    others = [(3, 5), (4, 4)]
    for seed, epoch in others:
        assert strings_of(many, seed=seed, epoch=epoch, shuffle=True) != one
    assert strings_of(many) == sorted(one, key=lambda s: [int(n) for n in re.findall(r"\d+", s)])


def test_impossible_shards_are_refused(many):
    with pytest.raises(ValueError, match="11 files for 12 workers"):
        many.blocks(Order(shard=(0, 12)))


def test_fewest_documents_of_a_worker(tmp_path):
    pattern = write(tmp_path, a="a\n\nb\n\nc", b="d", c="e\n\nf", d="g")
    corpus = TextCorpus(pattern, "blank_lines")
    assert [corpus.min_documents(n) for n in (1, 2, 3, 4)] == [7, 2, 1, 1]


TEXT = "One two.\r\n\r\nThree\nfour.\n"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.txt", TEXT.encode(), TEXT[:-6].encode()),  # whole lines
        ("a.txt", b"\xef\xbb\xbf" + TEXT.encode(), TEXT[:-3].encode()),
        ("a.txt", TEXT.encode(), b""),
        ("a.txt", gzip.compress(TEXT.encode()), gzip.compress(TEXT[:-3].encode())),
        ("a.txt", bz2.compress(TEXT.encode()), bz2.compress(TEXT[:-3].encode())),
        ("a.jsonl", b'{"text": "One."}\n{"text": "Two."}\n', b'{"text": "One."}\n'),
    ],
    ids=["lines", "mark", "empty", "gzip", "bzip2", "json"],
)
def test_a_file_that_is_shorter_than_when_it_was_opened_is_an_error(tmp_path, name, before, after):
    (tmp_path / name).write_bytes(before)
    corpus = TextCorpus(str(tmp_path / name))
    assert strings_of(corpus)
    (tmp_path / name).write_bytes(after)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name} must be as it was when it"):
        strings_of(corpus)
