"""FillMask: what a masked language model puts in place of [MASK]."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.text.packing import Packer


class FillMask:
    """Fills the blanks of texts with a pretrained masked language model.

    Args:
        pretrainer: BertPretrainer, such as the `model` of a loaded checkpoint.
        packer: Packer with the checkpoint's tokenizer.
        top_k: int, number of candidates for a blank.

    Raises:
        ValueError: `top_k` is not between 1 and the size of the vocabulary.

    Example:

    >>> import keras_bert as kb
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.FillMask(
    ...     kb.BertPretrainer(kb.BertEncoder(config)), kb.Packer(tokenizer, None), top_k=3
    ... )
    >>> [blanks] = task(["a fine [MASK]"])
    >>> len(blanks), len(blanks[0])
    (1, 3)
    """

    def __init__(self, pretrainer: BertPretrainer, packer: Packer, top_k: int = 5):
        vocabulary_size = packer.tokenizer.vocabulary_size
        if not 1 <= top_k <= vocabulary_size:
            raise ValueError(
                f"top_k must lie between 1 and the {vocabulary_size} pieces of the vocabulary, "
                f"not {top_k}."
            )
        self.pretrainer = pretrainer
        self.packer = packer
        self.tokenizer = packer.tokenizer
        self.top_k = top_k

    def __call__(self, texts: Sequence[str]) -> list[list[list[tuple[str, float]]]]:
        """Candidates for every [MASK] of every text.

        Args:
            texts: sequence of str.

        Returns:
            For each text, for each of its blanks, `top_k` pairs of a piece and its probability,
            the likeliest first.

        Raises:
            ValueError: a text has no [MASK], or one beyond the packer's `sequence_length`.
        """
        features = self.features(tf.constant(list(texts)))
        num_blanks = tf.math.count_nonzero(features["mask_weights"], axis=1).numpy()
        for text, found in zip(texts, num_blanks, strict=True):
            if not 0 < found == text.count("[MASK]"):
                raise ValueError(
                    "A text must hold [MASK] within the first pieces that the model reads "
                    f"(sequence_length={self.packer.sequence_length}), but {found} of its "
                    f"{text.count('[MASK]')} were found in {text!r}: write [MASK] where a piece is "
                    "missing, or shorten the text."
                )
        mask_weights = features.pop("mask_weights")
        outputs = self.pretrainer(features, training=False)
        return self.answers({**outputs, "mask_weights": mask_weights})

    def features(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Strings to ids, in graph.

        Args:
            texts: string [B].

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask` [B, T], `mask_positions`
            [B, P], and float32 `mask_weights` [B, P], 1 where there is a blank.
        """
        ids = self.tokenizer.tokenize(texts, special_tokens=("[MASK]",))
        packed = self.packer(ids)
        is_blank = packed["token_ids"] == self.tokenizer.mask_id
        places = tf.broadcast_to(tf.range(tf.shape(is_blank)[1]), tf.shape(is_blank))
        positions = tf.ragged.boolean_mask(places, is_blank)
        return {
            **packed,
            "mask_positions": positions.to_tensor(),
            "mask_weights": tf.ones_like(positions, tf.float32).to_tensor(),
        }

    def answers(self, outputs: dict[str, tf.Tensor]) -> list[list[list[tuple[str, float]]]]:
        """What `__call__` returns, from the model's outputs.

        Args:
            outputs: dict of `masked_lm` float [B, P, V], logits, and `mask_weights` float [B, P].

        Returns:
            As `__call__`.
        """
        # A model may have more rows of embeddings than the vocabulary has pieces.
        logits = outputs["masked_lm"][..., : self.tokenizer.vocabulary_size]
        best = tf.math.top_k(tf.nn.softmax(tf.cast(logits, tf.float32)), self.top_k)
        pieces = self.tokenizer.tokens(best.indices).numpy()
        return [
            [
                [(piece.decode("utf-8"), float(p)) for piece, p in zip(*blank, strict=True)]
                for blank, weight in zip(zip(*row, strict=True), weights, strict=True)
                if weight
            ]
            for row, weights in zip(
                zip(pieces, best.values.numpy(), strict=True),
                outputs["mask_weights"].numpy(),
                strict=True,
            )
        ]
