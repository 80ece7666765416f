"""Text as BERT sees it: cleaned, lower-cased, stripped of accents and split into words, in graph.

Also owns the way back, from the normalized text to the characters of the original.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf
import tensorflow_text as tf_text

# A word of more characters is [UNK] (`max_input_chars_per_word` of google-research/bert).
MAX_WORD_CHARACTERS = 200

# A text of only these needs nothing but ASCII lower-casing.
_PLAIN = r"[\t\n\r -~]*"
# What BERT drops: NUL, U+FFFD, the controls except tab, newline and carriage return, formats.
_DROPPED = r"\x{00}-\x{08}\x{0B}\x{0C}\x{0E}-\x{1F}\x{7F}-\x{9F}\x{FFFD}\p{Cf}"
_MARKS = r"\p{Mn}"
# Every other character that canonical ordering (NFD) may move, up to Unicode 16.
_MOVABLE = (
    r"\x{897}\x{1715}\x{1734}\x{1B44}\x{1BAA}\x{1BF2}\x{1BF3}\x{302E}\x{302F}\x{A953}\x{A9C0}"
    r"\x{10D69}-\x{10D6D}\x{111C0}\x{11235}\x{1134D}\x{113CE}-\x{113D0}\x{116B6}\x{1193D}"
    r"\x{11F41}\x{1612F}\x{16FF0}\x{16FF1}\x{1D165}\x{1D166}\x{1D16D}-\x{1D172}\x{1E5EE}\x{1E5EF}"
)
_SPACES = r"\t\n\r\p{Z}"
_PUNCTUATION = r"!-/:-@\[-`{-~\p{P}"
# The blocks of `_is_chinese_char` in google-research/bert.
CJK = (
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2A6DF}"
    r"\x{2A700}-\x{2B73F}\x{2B740}-\x{2B81F}\x{2B820}-\x{2CEAF}\x{2F800}-\x{2FA1F}"
)
# Letters whose lower case ICU makes depend on the process's locale (Turkish, Lithuanian).
_LOCALIZED = {"İ": "i\u0307", "Ì": "ì", "Í": "í", "Ĩ": "ĩ", "Į": "į"}


@dataclasses.dataclass(frozen=True)
class Normalization:
    """What becomes of a text before its words are cut into pieces.

    Args:
        lowercase: whether to lower-case, by Unicode's rules and in no locale.
        strip_accents: whether to decompose (NFD) and drop the nonspacing marks.
        split_cjk: whether every Chinese character is a word.
    """

    lowercase: bool = True
    strip_accents: bool = True
    split_cjk: bool = True

    @classmethod
    def of(cls, lowercase: bool, strip_accents: bool | None, split_cjk: bool) -> Normalization:
        """The same, where accents go as the capitals do if nothing is said of them (None)."""
        return cls(lowercase, lowercase if strip_accents is None else strip_accents, split_cjk)


def normalize(texts: tf.Tensor, how: Normalization) -> tf.Tensor:
    """Cleans texts as BERT's `BasicTokenizer` does before it splits them into words.

    Bytes that are not UTF-8, controls, formats, NUL and U+FFFD vanish; tabs and newlines stay.
    Any number of bytes is taken, in time linear in it.

    Args:
        texts: strings [B].
        how: whether to lower-case and strip accents.

    Returns:
        Strings [B], valid UTF-8.

    Example:

    >>> from keras_bert.text.normalization import Normalization, normalize
    >>> normalize(["Cafe\u0301 \u200bNOIR"], Normalization()).numpy()[0]
    b'cafe noir'
    """
    rest = tf.where(~tf.strings.regex_full_match(texts, _PLAIN))
    texts = tf.strings.lower(texts) if how.lowercase else tf.identity(texts)
    normalized = _normalize_unicode(tf.gather_nd(texts, rest), how)
    return tf.tensor_scatter_nd_update(texts, rest, normalized)


def _normalize_unicode(texts: tf.Tensor, how: Normalization) -> tf.Tensor:
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
    # Marks go before NFD too: sorting long runs of them takes quadratic time.
    dropped = _DROPPED + _MARKS if how.strip_accents else _DROPPED
    texts = tf.strings.regex_replace(texts, f"[{dropped}]+", "")
    if how.lowercase:
        texts = _lower(texts, how)
    if how.strip_accents:
        texts = _decompose(texts)
        texts = tf.strings.regex_replace(texts, rf"[{_MARKS}\x{{FFFD}}]+", "")
    return texts


def _lower(texts: tf.Tensor, how: Normalization) -> tf.Tensor:
    """Lower-cases texts whose ASCII letters are lower case already, I above all, in no locale."""
    # With the accents stripped afterwards the locales' spellings of these come to the same.
    for upper, lower in {} if how.strip_accents else _LOCALIZED.items():
        texts = tf.strings.regex_replace(texts, upper, lower)
    return tf.strings.lower(texts, encoding="utf-8")


def _decompose(texts: tf.Tensor) -> tf.Tensor:
    """NFD in linear time: U+FFFD, which sorts with nothing, cuts the runs that would be sorted.

    A run that is cut lies in a word that is too long for anything but [UNK].
    """
    run = f"([{_MOVABLE}]{{{MAX_WORD_CHARACTERS}}})"
    return tf_text.normalize_utf8(tf.strings.regex_replace(texts, run, "\\1\ufffd"), "NFD")


def split_words(
    texts: tf.Tensor, how: Normalization
) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
    """Splits normalized texts at whitespace and around every punctuation mark.

    Args:
        texts: normalized strings [B].
        how: whether every Chinese character is a word too.

    Returns:
        Words [B, (words)], and the bytes of `texts` where they start and end, int64 [B, (words)].

    Example:

    >>> from keras_bert.text.normalization import Normalization, split_words
    >>> split_words(["don't"], Normalization())[0].to_list()
    [[b'don', b"'", b't']]
    """
    alone = _PUNCTUATION + CJK if how.split_cjk else _PUNCTUATION
    return tf_text.regex_split_with_offsets(texts, f"[{_SPACES}]+|[{alone}]", f"[{alone}]")


def original_spans(
    texts: tf.Tensor,
    normalized: tf.Tensor,
    starts: tf.RaggedTensor,
    ends: tf.RaggedTensor,
    how: Normalization,
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Finds the characters of the original texts that spans of the normalized ones came from.

    A span ends after the stripped marks that follow its last character.

    Args:
        texts: the original strings [B].
        normalized: `normalize(texts, how)` [B].
        starts: the bytes of `normalized` where the spans start, int64 [B, (spans)].
        ends: where they end, exclusive, int64 [B, (spans)]; no span is empty.
        how: as in `normalize`.

    Returns:
        Starts and ends in characters (code points) of `texts`, int32 [B, (spans)]. Where a text
        is no UTF-8 they count the characters of `text.decode("utf-8", "ignore")`.
    """
    characters = tf.strings.unicode_decode(texts, "UTF-8", errors="ignore")
    # How many bytes a character becomes does not depend on its neighbors, though their order
    # (NFD) and value (final sigma) may: the texts' alphabet, once each, tells all.
    alphabet, letter = tf.unique(characters.values)
    alphabet = tf.strings.unicode_encode(alphabet[:, None], "UTF-8")
    widths = tf.strings.length(normalize(alphabet, how))
    widths = tf.cast(tf.gather(widths, letter), tf.int64)
    marks = tf.gather(tf.strings.regex_full_match(alphabet, _MARKS), letter)

    num_bytes = tf.cast(tf.strings.length(normalized), tf.int64)
    mapped_bytes = tf.reduce_sum(characters.with_values(widths), axis=1)
    tf.debugging.assert_equal(mapped_bytes, num_bytes, "the offsets' map misses characters")

    text = starts.value_rowids()
    first_byte = tf.gather(tf.cumsum(num_bytes, exclusive=True), text)
    first_character = tf.gather(characters.row_starts(), text)
    byte_ends = tf.cumsum(widths)
    first = tf.searchsorted(byte_ends, starts.values + first_byte, "right", tf.int64)
    last = tf.searchsorted(byte_ends, ends.values + first_byte - 1, "right", tf.int64)
    after = tf.gather(_ends_with_marks(characters, widths > 0, marks), last)
    first = tf.cast(first - first_character, tf.int32)
    after = tf.cast(after - first_character, tf.int32)
    return starts.with_values(first), starts.with_values(after)


def _ends_with_marks(characters: tf.RaggedTensor, kept: tf.Tensor, marks: tf.Tensor) -> tf.Tensor:
    """The position after each kept character and the marks that follow it, int64 [characters]."""
    text = characters.value_rowids()
    opens_text = tf.concat([text[:1] >= 0, text[1:] != text[:-1]], axis=0)
    group = tf.cumsum(tf.cast(kept | opens_text, tf.int32)) - 1
    after = tf.range(1, tf.size(text, tf.int64) + 1)
    after = tf.math.segment_max(tf.where(kept | marks, after, 0), group)
    return tf.gather(after, group)
