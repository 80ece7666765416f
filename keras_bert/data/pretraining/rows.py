"""Rows of pretraining: texts to ranges of one flat array of tokens."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from keras_bert.data.pretraining.corpus import Sentences
from keras_bert.text.packing import Packer, Ranges, reachable

OBJECTIVES = ("next_sentence", "sentence_order", None)
# A pair has at least as many tokens of text: 8 in all with BERT's special ones.
MIN_TOKENS = 5
SHORT_SEQ_PROB = 0.1


class PretrainingRows:
    """Makes packed rows of the sentences of a pool of blocks.

    A window takes as many whole sentences of a document as fit, and the next one starts at the
    first sentence that did not fit; what is then left of the row is filled with the beginning of
    that sentence, which is thus seen twice. With probability `short_seq_prob` the window is
    meant to be shorter, by a uniform draw. Sentences longer than half a row are first cut.

    next_sentence (https://arxiv.org/abs/1810.04805): the window is cut in two at one of its
    sentence boundaries, or in the middle where there is none; half of the second parts are
    replaced by text that starts at the second part of another row, of another document. Label 0
    where the second part truly follows, 1 where it is random. Where one document holds more than
    half of the rows to be replaced, those that find no partner keep their text and label 0.
    Documents of a single token give no row.
    sentence_order (https://arxiv.org/abs/1909.11942): half of the pairs are swapped: label 1.
    Windows are not filled up, and those without two whole sentences have weight 0 in this
    objective: a part that begins or ends within a sentence would give the order away.
    None (FULL-SENTENCES of https://arxiv.org/abs/1907.11692): one segment of whole sentences,
    across documents, with a separator between documents; nothing is seen twice.

    Args:
        packer: Gives the rows their length T, with BERT's template at least 8.
        sentence_objective: "next_sentence", "sentence_order" or None.
        short_seq_prob: Probability of a shorter window. None is 0.1 for pairs, as in BERT, and 0
            for full sentences, as in RoBERTa.
        num_sequences: How many of the rows K one may hold at most, if they are short; they do not
            see each other (`Packer.join`).

    Raises:
        ValueError: if an argument is out of its range.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "corpus.txt"
    >>> _ = path.write_text("A fine film. A film.")
    >>> corpus = kb.TextCorpus(str(path))
    >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fine", "film", "."]
    >>> tokenizer = kb.Tokenizer(vocabulary)
    >>> rows = kb.PretrainingRows(kb.Packer(tokenizer, 10), None)
    >>> for blocks in corpus.blocks(kb.Order(shuffle=False)).batch(1):
    ...     print(rows(corpus.read(blocks, tokenizer), seed=[1, 2])["token_ids"].numpy())
    [[2 5 6 7 8 5 7 8 3 0]]
    """

    def __init__(
        self,
        packer: Packer,
        sentence_objective: str | None = "next_sentence",
        short_seq_prob: float | None = None,
        num_sequences: int = 1,
    ):
        if short_seq_prob is None:
            short_seq_prob = 0.0 if sentence_objective is None else SHORT_SEQ_PROB
        room, of_pair = packer.room(1 if sentence_objective is None else 2), packer.room(2)
        if room is None or of_pair is None or of_pair < MIN_TOKENS:
            raise ValueError(
                f"sequence_length must be at least {packer.length_of(MIN_TOKENS, 0)} for "
                f"pretraining, but the packer's is {packer.sequence_length}. Use the length to "
                "train with, such as 128."
            )
        if sentence_objective not in OBJECTIVES:
            raise ValueError(
                f"sentence_objective must be one of {OBJECTIVES}, but is {sentence_objective!r}. "
                "Choose one of them."
            )
        if not 0 <= short_seq_prob <= 1:
            raise ValueError(
                f"short_seq_prob must be from 0 to 1, but is {short_seq_prob}. BERT's is 0.1."
            )
        if num_sequences < 1:
            raise ValueError(
                f"num_sequences must be at least 1, but is {num_sequences}. 1 keeps rows apart."
            )
        self.packer = packer
        self.sentence_objective = sentence_objective
        self.short_seq_prob = short_seq_prob
        self.num_sequences = num_sequences
        self.max_tokens = room

    def __call__(
        self, sentences: Sentences, seed: tf.Tensor, shuffle: bool = True
    ) -> dict[str, tf.Tensor]:
        """Makes the rows of a pool.

        Args:
            sentences: Those of the pool's blocks.
            seed: integers [2]; rows are a pure function of it and the sentences.
            shuffle: False keeps the rows in the order of the text, and takes each block to go on
                where the one before ended.

        Returns:
            dict(token_ids, segment_ids, padding_mask), int32 [R, T], and, if there is a
            `sentence_objective`, its label, int32 [R], and `sentence_weights`, float32 [R]; these
            two are [R, K] where `num_sequences` is greater than 1.
        """
        target_seed, window_seed, pair_seed, order_seed = tf.unstack(tf.random.split(seed, 4))
        # A pair is never made of one sentence alone if its sentences fill half of it at most.
        limit = self.max_tokens if self.sentence_objective is None else self.max_tokens // 2
        text = _Text.of(sentences, limit, contiguous=not shuffle)
        target = self._targets(tf.shape(text.runs), target_seed)
        labels = {}
        if self.sentence_objective is None:
            ids, *segments = _full_sentences(text, target, self.packer.tokenizer.special.separator)
        else:
            is_order = self.sentence_objective == "sentence_order"
            ids, windows = text.ids, _windows(text, target, window_seed, fill=not is_order)
            make = _sentence_order if is_order else _next_sentence
            *segments, labels[self.sentence_objective] = make(windows, pair_seed)
            has_label = windows.whole if is_order else tf.ones_like(windows.whole)
            labels["sentence_weights"] = tf.cast(has_label, tf.float32)
        if shuffle:
            order = tf.range(tf.size(segments[0].starts))
            order = tf.random.experimental.stateless_shuffle(order, order_seed)
            segments, labels = tf.nest.map_structure(
                lambda values: tf.gather(values, order), (segments, labels)
            )
        rows = self.packer.pack_ranges(ids, *segments)
        if self.num_sequences > 1:
            rows, members = self.packer.join(rows, self.num_sequences)
            # The row -1, which is none, has the label 0 and the weight 0.
            labels = {
                name: tf.gather(tf.pad(values, [[1, 0]]), members + 1)
                for name, values in labels.items()
            }
        return {**rows, **labels}

    def _targets(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """How many tokens a window is meant to hold if it starts at a sentence, int32 [S]."""
        coin_seed, length_seed = tf.unstack(tf.random.split(seed, 2))
        short = tf.random.stateless_uniform(shape, coin_seed) < self.short_seq_prob
        length = tf.random.stateless_uniform(shape, length_seed, 2, self.max_tokens + 1, tf.int32)
        return tf.where(short, length, self.max_tokens)


class _Text(NamedTuple):
    """The tokens of a pool in one array, and its S sentences in them.

    Args:
        ids: int32 [N].
        splits: int32 [S+1]; sentence s is `ids[splits[s]:splits[s+1]]`, never empty.
        opens: bool [S], whether a run of consecutive text of one document begins here.
        runs: int32 [S], the index of the run.
        documents: int64 [S].
        whole: bool [S], whether it begins as in the text, and is not the rest of one that was cut.
    """

    ids: tf.Tensor
    splits: tf.Tensor
    opens: tf.Tensor
    runs: tf.Tensor
    documents: tf.Tensor
    whole: tf.Tensor

    @classmethod
    def of(cls, sentences: Sentences, limit: int, contiguous: bool) -> _Text:
        """Drops empty sentences and cuts those of more than `limit` tokens."""
        lengths = tf.cast(sentences.ids.row_lengths(), tf.int32)
        filled = lengths > 0
        lengths, documents, blocks = (
            tf.boolean_mask(values, filled)
            for values in (lengths, sentences.documents, sentences.blocks)
        )
        opens = documents != tf.roll(documents, 1, axis=0)
        if not contiguous:
            opens |= blocks != tf.roll(blocks, 1, axis=0)
        opens |= tf.range(tf.size(opens)) == 0
        owner, piece, lengths = _cut(lengths, limit)
        opens = tf.gather(opens, owner) & (piece == 0)
        splits = tf.concat([[0], tf.cumsum(lengths)], axis=0)
        runs = tf.cumsum(tf.cast(opens, tf.int32)) - 1
        documents = tf.gather(documents, owner)
        return cls(sentences.ids.flat_values, splits, opens, runs, documents, piece == 0)


class _Windows(NamedTuple):
    """Windows of at least two tokens of one document, cut in two; all [W], int32 but the last two.

    Args:
        begin: Where the first part begins, an index into the pool's tokens.
        middle: Where it ends and the second part begins.
        room: How many tokens the window may hold.
        stop: Where the document's run ends; the second part may go on up to there.
        end: Where the second part ends.
        documents: int64.
        whole: bool, whether both parts are made of whole sentences, if they are not filled up.
    """

    begin: tf.Tensor
    middle: tf.Tensor
    room: tf.Tensor
    stop: tf.Tensor
    end: tf.Tensor
    documents: tf.Tensor
    whole: tf.Tensor


def _windows(text: _Text, target: tf.Tensor, seed: tf.Tensor, fill: bool) -> _Windows:
    count = tf.size(text.runs)
    run_ends = tf.concat([tf.cast(tf.where(text.opens)[1:, 0], tf.int32), [count]], axis=0)
    run_ends = tf.gather(run_ends, text.runs)  # [S]
    following = tf.minimum(_following(text.splits, text.splits[:-1], target), run_ends)
    first = tf.cast(tf.where(reachable(following, text.opens))[:, 0], tf.int32)  # [W]
    following = tf.gather(following, first)
    begin, end = tf.gather(text.splits, first), tf.gather(text.splits, following)
    stop = tf.gather(text.splits, tf.gather(run_ends, first))
    target = tf.gather(target, first)
    room = tf.maximum(target, end - begin)
    if fill:  # what the sentences leave free, with the beginning of the one that did not fit
        end = tf.maximum(end, tf.minimum(begin + target, stop))
    middle, whole = _middles(text, first, following, seed)
    middle = tf.where(middle > begin, middle, begin + (end - begin) // 2)
    documents = tf.gather(text.documents, first)
    windows = _Windows(begin, middle, room, stop, end, documents, whole)
    return _Windows(*(tf.boolean_mask(values, end - begin >= 2) for values in windows))


def _middles(
    text: _Text, first: tf.Tensor, following: tf.Tensor, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """One of the beginnings of sentences inside each window.

    Args:
        text: The pool's text.
        first: int32 [W], the first sentence of each window.
        following: int32 [W], the first one behind it.
        seed: integers [2].

    Returns:
        Where the sentence begins, int32 [W], 0 if there is none, and whether the window is made of
        whole sentences and there is one, bool [W].
    """
    whole = tf.concat([text.whole, [True]], axis=0)
    before = tf.cumsum(tf.cast(whole, tf.int32), exclusive=True)  # whole ones before each
    begun = tf.gather(before, first + 1)
    inside = tf.gather(before, following) - begun
    draw = tf.random.stateless_uniform(tf.shape(first), seed, dtype=tf.float64)
    drawn = begun + tf.cast(draw * tf.cast(inside, tf.float64), tf.int32)
    beginnings = tf.boolean_mask(text.splits, whole)
    middle = tf.where(inside > 0, tf.gather(beginnings, drawn), 0)
    return middle, (inside > 0) & tf.gather(whole, first) & tf.gather(whole, following)


def _following(splits: tf.Tensor, begin: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """For each sentence the first one that does not fit into a window that starts there, [S]."""
    fitting = tf.searchsorted(splits, begin + target, side="right") - 1
    return tf.maximum(fitting, tf.range(tf.size(begin)) + 1)


def _next_sentence(windows: _Windows, seed: tf.Tensor) -> tuple[Ranges, Ranges, tf.Tensor]:
    """Half of the windows get a random second part: both parts, and labels."""
    coin_seed, partner_seed = tf.unstack(tf.random.split(seed, 2))
    random = tf.random.stateless_uniform(tf.shape(windows.begin), coin_seed) < 0.5
    own, partner = _partners(windows.documents, random, partner_seed)
    source = tf.tensor_scatter_nd_update(tf.range(tf.size(random)), own[:, None], partner)
    second = tf.gather(windows.middle, source)
    length = windows.middle - windows.begin
    second_length = tf.minimum(windows.room - length, tf.gather(windows.stop, source) - second)
    label = tf.cast(source != tf.range(tf.size(random)), tf.int32)
    return Ranges(windows.begin, length), Ranges(second, second_length), label


def _partners(
    documents: tf.Tensor, random: tf.Tensor, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pairs up random windows with the second parts of others, of other documents.

    In the order of their documents, each takes its partner further on by the size of the largest
    document, which is another document wherever none has more than half of them. Every second
    part is taken once. Windows that meet their own document are left out.

    Returns:
        Windows and their partners, int32 [N] each.
    """
    own = tf.cast(tf.where(random)[:, 0], tf.int32)
    _, document, sizes = tf.unique_with_counts(tf.gather(documents, own), out_idx=tf.int64)
    mixed = tf.random.stateless_uniform(tf.shape(own), seed, 0, 1 << 31, tf.int64)
    own = tf.gather(own, tf.argsort(document * (1 << 31) + mixed))
    partners = tf.roll(own, -tf.reduce_max(tf.concat([sizes, [0]], axis=0)), axis=0)
    other = tf.gather(documents, own) != tf.gather(documents, partners)
    return tf.boolean_mask(own, other), tf.boolean_mask(partners, other)


def _sentence_order(windows: _Windows, seed: tf.Tensor) -> tuple[Ranges, Ranges, tf.Tensor]:
    """Half of the windows are swapped: both parts, and labels.

    The window is not filled up: the part that ends within a sentence would give the order away.
    """
    swapped = tf.random.stateless_uniform(tf.shape(windows.begin), seed) < 0.5
    before = Ranges(windows.begin, windows.middle - windows.begin)
    after = Ranges(windows.middle, windows.end - windows.middle)
    first = Ranges(*(tf.where(swapped, b, a) for a, b in zip(before, after, strict=True)))
    second = Ranges(*(tf.where(swapped, a, b) for a, b in zip(before, after, strict=True)))
    return first, second, tf.cast(swapped, tf.int32)


def _full_sentences(text: _Text, target: tf.Tensor, separator_id: int) -> tuple[tf.Tensor, Ranges]:
    """Ids with a separator between documents, and whole sentences in them, a row each."""
    # Each run but the first is preceded by one, which rows that begin with the run leave out.
    separator = tf.cast(text.opens & (tf.range(tf.size(text.opens)) > 0), tf.int32)
    splits = text.splits + tf.concat([[0], tf.cumsum(separator)], axis=0)
    begin = splits[:-1] + separator
    following = _following(splits, begin, target)
    starts = reachable(following, tf.range(tf.size(begin)) == 0)
    ends = tf.gather(splits, tf.boolean_mask(following, starts))
    begin = tf.boolean_mask(begin, starts)
    at = tf.boolean_mask(splits[:-1], separator > 0)
    return _insert(text.ids, at, separator_id), Ranges(begin, ends - begin)


def _insert(ids: tf.Tensor, at: tf.Tensor, value: int) -> tf.Tensor:
    """`ids` with `value` in between, so that it stands at the indices `at` of the result."""
    size = tf.size(ids) + tf.size(at)
    inserted = tf.scatter_nd(at[:, None], tf.ones_like(at), [size])
    source = tf.where(inserted > 0, tf.size(ids), tf.range(size) - tf.cumsum(inserted))
    return tf.gather(tf.concat([ids, [value]], axis=0), source)


def _cut(lengths: tf.Tensor, limit: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Cuts what is longer than `limit`: (index before, index of the piece, length), [S] each."""
    ends = tf.cumsum((lengths + limit - 1) // limit)
    index = tf.range(tf.reduce_max(tf.concat([ends, [0]], axis=0)))
    owner = tf.searchsorted(ends, index, side="right")
    piece = index - tf.gather(tf.concat([[0], ends], axis=0), owner)
    return owner, piece, tf.minimum(tf.gather(lengths, owner) - piece * limit, limit)
