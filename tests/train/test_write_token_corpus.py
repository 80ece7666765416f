import pytest

import keras_bert as kb


@pytest.fixture
def flags(corpus, tmp_path):
    """Those that write the corpus' tokens."""
    return (
        f"--input_pattern={corpus}/corpus/train/*.txt",
        f"--vocabulary={corpus}/vocab.txt",
        f"--output_dir={tmp_path}/tokens",
        *("--documents=blank_lines", "--num_shards=3"),
    )


def test_tokens_are_written_once(flags, tmp_path, call, refused):
    printed = call("write_token_corpus", *flags)
    assert f"Tokenizing {tmp_path}" not in printed and "1 files, 40 documents" in printed
    assert f"Next: keras-bert pretrain --input_pattern={tmp_path}/tokens" in printed
    written = kb.TokenCorpus(tmp_path / "tokens")
    assert written.summary() in printed and "40 documents" in written.summary()
    before = {path.name: path.read_bytes() for path in (tmp_path / "tokens").iterdir()}
    assert "tokens" in refused("write_token_corpus", *flags)
    assert {path.name: path.read_bytes() for path in (tmp_path / "tokens").iterdir()} == before


def test_tokens_are_of_bytes_too(flags, tmp_path, call, byte_pairs_of):
    (tmp_path / "bytes").mkdir()
    kb.pretraining.write_pieces(tmp_path / "bytes", byte_pairs_of("Roberta"))
    call("write_token_corpus", *flags, f"--vocabulary={tmp_path}/bytes")
    assert kb.TokenCorpus(tmp_path / "tokens").num_tokens > 40 * 7 * 9 * 3


def test_what_is_not_there_is_told(flags, tmp_path, refused):
    for flag in ("--input_pattern=/nowhere/*.txt", "--vocabulary=/nowhere/vocab.txt"):
        assert "/nowhere" in refused("write_token_corpus", *flags, flag)
        assert not list(tmp_path.iterdir())
