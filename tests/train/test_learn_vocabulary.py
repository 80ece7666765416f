import pytest

import keras_bert as kb


def test_a_vocabulary_is_learned(corpus, tmp_path, call):
    printed = call(
        "learn_vocabulary",
        f"--input_pattern={corpus}/corpus/train/*.txt",
        f"--output={tmp_path}/vocab.txt",
        *("--documents=blank_lines", "--vocabulary_size=90"),
    )
    assert "1 files, 40 documents" in printed
    assert f"Next: keras-bert pretrain --vocabulary={tmp_path}/vocab.txt" in printed
    pieces = kb.read_vocabulary(tmp_path / "vocab.txt")
    assert f"{tmp_path}/vocab.txt: {len(pieces)} pieces" in printed
    assert pieces == kb.read_vocabulary(corpus / "vocab.txt")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--input_pattern=/nowhere/*.txt", "'/nowhere/*.txt' matches none"),
        ("--vocabulary_size=3", "vocabulary_size"),
    ],
)
def test_what_teaches_nothing_is_refused(corpus, tmp_path, flag, message, refused):
    flags = (f"--input_pattern={corpus}/corpus/train/*.txt", f"--output={tmp_path}/vocab.txt")
    assert message in refused("learn_vocabulary", *flags, flag)
    assert not list(tmp_path.iterdir())


@pytest.mark.reference("tokenizers")
def test_byte_pairs_are_learned(corpus, tmp_path, call):
    flags = (f"--input_pattern={corpus}/corpus/train/*.txt", "--kind=byte_pairs")
    for name in ("one", "two"):
        output = f"--output={tmp_path / name}"
        printed = call("learn_vocabulary", *flags, output, "--vocabulary_size=290")
    assert "two: 290 pieces" in printed
    assert f"Next: keras-bert pretrain --vocabulary={tmp_path}/two" in printed
    contents = [{p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("one", "two")]
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"vocab.json", "merges.txt", "tokenizer.json"}


def test_byte_pairs_replace_nothing(corpus, tmp_path, refused):
    flags = (f"--input_pattern={corpus}/corpus/train/*.txt", "--kind=byte_pairs")
    assert "is: name another one" in refused("learn_vocabulary", *flags, f"--output={tmp_path}")
