"""tokenizer.json of word pieces: `tokenizers` and transformers cut texts as we do."""

import json

import pytest

import keras_bert as kb
from keras_bert.checkpoints import word_piece_json, word_pieces
from keras_bert.checkpoints.snapshot import Snapshot

TEXTS = ["The quick brown fox!", "jumped over", "The d\u00f6g"]


def test_it_is_read_again_with_what_stands_around_texts(tokenizer, tmp_path):
    config = kb.ModernBertConfig(vocabulary_size=97)
    word_piece_json.write_of_rows(tmp_path, tokenizer, config)
    content = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    ids = content["post_processor"]["special_tokens"]
    assert {token: one["ids"] for token, one in ids.items()} == {"[CLS]": [2], "[SEP]": [3]}
    (tmp_path / "vocab.txt").unlink()
    again = word_pieces.read(Snapshot(tmp_path), config, {})
    assert again.settings() == tokenizer.settings()


@pytest.mark.reference("tokenizers")
def test_tokenizers_cuts_texts_into_the_same_pieces(tokenizer, tmp_path):
    import tokenizers

    word_piece_json.write_of_vectors(tmp_path, tokenizer, kb.StaticConfig())
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in (TEXTS[0], TEXTS[1]):
        assert theirs.encode(text).ids == tokenizer.tokenize(text).numpy().tolist()
    assert word_piece_json.content_of(tokenizer)["normalizer"]["lowercase"]


@pytest.mark.reference("transformers")
def test_transformers_makes_the_same_rows(encoder_of, tokenizer, tmp_path):
    import transformers

    kb.save(encoder_of("ModernBert", num_layers=1), tmp_path, tokenizer)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    packer = kb.Packer(tokenizer, 16)
    for first, second in (TEXTS[:2], TEXTS[1:]):
        ids = packer([first], [second])["token_ids"][0].numpy()
        found = theirs(first, second)["input_ids"]
        assert found == ids[: len(found)].tolist() and not ids[len(found) :].any()
    assert theirs.mask_token == "[MASK]"
