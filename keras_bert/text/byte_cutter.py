"""Texts cut into byte-level pieces, in graph: GPT-2's words, and the merges within each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.text.sentencepiece_model import model_of

# What Unicode counts as whitespace; RE2's own \s are the spaces of ASCII.
SPACES = r"\s\x0b\x{85}\p{Z}"
# Letters and numbers of Unicode 16, as `tokenizers` has them; RE2's own are of 14 in TF Serving
# 2.12, and of 15 today.
_LETTERS = (
    r"\p{L}"
    r"\x{1C89}-\x{1C8A}\x{A7CB}-\x{A7CD}\x{A7DA}-\x{A7DC}\x{105C0}-\x{105F3}"
    r"\x{10D4A}-\x{10D65}\x{10D6F}-\x{10D85}\x{10EC2}-\x{10EC4}\x{1123F}-\x{11240}"
    r"\x{11380}-\x{11389}\x{1138B}\x{1138E}\x{11390}-\x{113B5}\x{113B7}\x{113D1}\x{113D3}"
    r"\x{11BC0}-\x{11BE0}\x{11F02}\x{11F04}-\x{11F10}\x{11F12}-\x{11F33}\x{1342F}"
    r"\x{13441}-\x{13446}\x{13460}-\x{143FA}\x{16100}-\x{1611D}\x{16D40}-\x{16D6C}\x{18CFF}"
    r"\x{1B132}\x{1B155}\x{1DF25}-\x{1DF2A}\x{1E030}-\x{1E06D}\x{1E4D0}-\x{1E4EB}"
    r"\x{1E5D0}-\x{1E5ED}\x{1E5F0}\x{2B739}\x{2EBF0}-\x{2EE5D}\x{31350}-\x{323AF}"
)
_NUMBERS = (
    r"\p{N}"
    r"\x{10D40}-\x{10D49}\x{116D0}-\x{116E3}\x{11BF0}-\x{11BF9}\x{11F50}-\x{11F59}"
    r"\x{16130}-\x{16139}\x{16D70}-\x{16D79}\x{1CCF0}-\x{1CCF9}\x{1D2C0}-\x{1D2D3}"
    r"\x{1E4F0}-\x{1E4F9}\x{1E5F1}-\x{1E5FA}"
)
# GPT-2's words are what these match, the first alternative first, and `\s+(?!\S)` before the last
# one, for which a regular expression has to look ahead. RE2 cannot: another replacement comes
# first, which cuts spaces before the last one of a run where something follows it.
_BEFORE_LAST_SPACE = f"([{SPACES}])([{SPACES}][^{SPACES}])"
_WORD = (
    rf"'s|'t|'re|'ve|'m|'ll|'d| ?[{_LETTERS}]+| ?[{_NUMBERS}]+| ?[^{SPACES}{_LETTERS}{_NUMBERS}]+"
    rf"|[{SPACES}]+"
)
# No byte of UTF-8, so that no part of a word matches it.
_CUT = b"\xff"
# Longer words are left to SentencePiece.
_MAX_BYTES = 100
# Neither letter nor digit, so that no word has it beside one of those.
_NONE = "\ufffd"


class ByteCutter:
    """Cuts texts as GPT-2 does: into words, and their bytes into pieces by merges.

    Most words are a piece as they stand, which `FastWordpieceTokenizer` finds in a trie; the rest
    goes to SentencePiece, for which every byte is made a character of Latin-1. Both have been in
    TF Serving since 2.12.

    Args:
        pieces: the bytes of the pieces, in the order of their ids.
        ranks: the merges' ranks of the ids that texts can become, from `merges.ranks_of`.
        unknown: the id of the unknown token, which no text becomes.

    Example:

    >>> from keras_bert.text.byte_alphabet import BYTES, bytes_of
    >>> from keras_bert.text.byte_cutter import ByteCutter
    >>> pieces = [b"<unk>", *map(bytes_of, BYTES), b" a", b" ab"]
    >>> ranks = {**dict.fromkeys(range(1, 257), -1), 257: 0, 258: 1}
    >>> ByteCutter(pieces, ranks, unknown=0).cut(["a ab abb"]).to_list()
    [[98, 258, 258, 99]]
    """

    def __init__(self, pieces: Sequence[bytes], ranks: Mapping[int, int], unknown: int):
        self._unknown = unknown
        words = [_as_word(piece, id_, id_ in ranks) for id_, piece in enumerate(pieces)]
        # On the host, whatever accelerator there is: strings live there.
        with tf.init_scope(), tf.device("CPU:0"):
            self._whole = tf_text.FastWordpieceTokenizer(
                # There must be a piece that goes on with a word; this one goes on with none.
                [*words, f"{_NONE}{_NONE}a0"],
                suffix_indicator=f"{_NONE}{_NONE}",
                unknown_token=words[unknown],
                max_bytes_per_word=_MAX_BYTES,
                token_out_type=tf.int32,
                no_pretokenization=True,
            )
            self.merging = tf_text.SentencepieceTokenizer(model_of(pieces, ranks, unknown))

    def cut(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """The ids of texts.

        Args:
            texts: strings [B], valid UTF-8.

        Returns:
            int32 [B, (pieces)].
        """
        words = split_words(texts)
        # One id for each word that is not empty, for which there is none.
        whole = self._whole.tokenize(words.values)
        ids = whole.values
        unknown = ids == self._unknown
        others = tf.where(unknown)[:, 0]
        parts = self._merged(tf.gather(words.values, tf.gather(whole.value_rowids(), others)))
        lengths = parts.row_lengths()
        counts = tf.tensor_scatter_nd_update(tf.ones_like(ids, tf.int64), others[:, None], lengths)
        ends = tf.concat([[0], tf.cumsum(counts)], axis=0)
        known = tf.where(~unknown)[:, 0]
        place = tf.repeat(tf.gather(ends, others) - parts.row_starts(), lengths)
        place += tf.range(tf.size(parts.values, tf.int64))
        places = [tf.cast(x, tf.int32) for x in (tf.gather(ends, known), place)]
        return tf.RaggedTensor.from_row_splits(
            tf.dynamic_stitch(places, [tf.gather(ids, known), parts.values]),
            tf.gather(ends, tf.gather(whole.row_splits, words.row_splits)),
            validate=False,
        )

    def _merged(self, words: tf.Tensor) -> tf.RaggedTensor:
        # From Latin-1, in which every byte is a character.
        return self.merging.tokenize(tf.strings.unicode_transcode(words, "ISO-8859-1", "UTF-8"))


def split_words(texts: tf.Tensor) -> tf.RaggedTensor:
    """Splits texts as GPT-2's regular expression does; nothing is lost.

    Args:
        texts: strings [B], valid UTF-8.

    Returns:
        Strings [B, (words)], some of which may be empty.

    Example:

    >>> from keras_bert.text.byte_cutter import split_words
    >>> [word for word in split_words(["It's  5 films!"]).values.numpy() if word]
    [b'It', b"'s", b' ', b' 5', b' films', b'!']
    """
    texts = tf.strings.regex_replace(texts, _BEFORE_LAST_SPACE, rb"\1" + _CUT + rb"\2")
    return tf.strings.split(tf.strings.regex_replace(texts, _WORD, rb"\0" + _CUT), _CUT)


def _as_word(piece: bytes, id_: int, occurs: bool) -> str:
    """What a word must be to be this piece; if none can be, what no word is."""
    try:
        word = piece.decode() if occurs and len(piece) <= _MAX_BYTES else ""
    except UnicodeDecodeError:
        word = ""
    # A trie has no NUL in it, and this one has a node of its own for U+0011: a piece of that alone
    # ends the process (fast_wordpiece_tokenizer_model_builder.cc).
    is_free = word and "\0" not in word and word != "\x11" and not word.startswith(_NONE)
    return word if is_free else f"{_NONE}{id_}"
