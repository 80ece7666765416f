"""Training on text of natural lengths: rows of one pair with padding, and rows of several pairs.

    python -m benchmarks.sequence_packing --vocabulary=vocab.txt --pattern='corpus/*.txt'

A pair is two sentences that follow each other, cut to a row. Both forms have as many rows in a
batch, masked alike; a figure is real tokens a second of training steps, and their share of a row.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

import keras_bert as kb
from benchmarks.figures import medians_in_turns, print_figure, seconds_of
from keras_bert import flags


@dataclasses.dataclass(frozen=True)
class Arguments:
    pattern: str = flags.required("text files, one document each")
    vocabulary: str = flags.required("an uncased vocabulary file")
    preset: str = flags.flag("mini", "size of the model")
    batch_size: int = flags.flag(32, "rows in a batch")
    sequence_length: int = flags.flag(128, "length of a row")
    max_predictions: int = flags.flag(20, "masked tokens of a row, at most")
    num_sequences: int = flags.flag(8, "pairs in a row, at most")
    num_batches: int = flags.flag(8, "batches, taken one after the other")
    num_rounds: int = flags.flag(7, "rounds, besides one to warm up")


def main(arguments: Arguments) -> None:
    tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
    batches = {
        "padded": read_batches(tokenizer, arguments, num_sequences=1),
        "joined": read_batches(tokenizer, arguments, arguments.num_sequences),
    }
    steps = {
        "padded": step_seconds(batches["padded"], arguments, num_sequences=1),
        "joined": step_seconds(batches["joined"], arguments, arguments.num_sequences),
    }
    seconds = medians_in_turns(steps, arguments.num_rounds)
    tokens = {name: real_tokens(of) / len(of) for name, of in batches.items()}
    rates = {name: tokens[name] / seconds[name] for name in steps}
    for name, rate in rates.items():
        print_figure(
            f"sequence_packing/{arguments.preset}/{name}",
            round(rate),
            "real tokens/s",
            ratio=round(rate / rates["padded"], 2),
            share_of_row=round(tokens[name] / arguments.batch_size / arguments.sequence_length, 3),
            milliseconds=round(1000 * seconds[name], 1),
        )


def read_batches(tokenizer: kb.Tokenizer, arguments: Arguments, num_sequences: int) -> list:
    """Batches of (x, y, sample_weight), each of as many rows."""
    packer = kb.Packer(tokenizer, arguments.sequence_length)
    masker = kb.Masker(tokenizer, max_predictions=arguments.max_predictions)
    parts: list[dict[str, tf.Tensor]] = []
    num_rows = arguments.num_batches * arguments.batch_size
    for first, second in pairs_of_sentences(arguments.pattern, tokenizer):
        joined, members = packer.join(packer(first, second), num_sequences)
        parts.append({**joined, "exists": tf.cast(members >= 0, tf.float32)})
        if sum(len(part["exists"]) for part in parts) > num_rows:
            break
    rows = {name: tf.concat([part[name] for part in parts], axis=0) for name in parts[0]}
    dataset = tf.data.Dataset.from_tensor_slices(rows)
    dataset = dataset.batch(arguments.batch_size, drop_remainder=True)
    return [batch_of(part, masker) for part in itertools.islice(dataset, arguments.num_batches)]


def pairs_of_sentences(pattern: str, tokenizer: kb.Tokenizer) -> Iterator[tuple]:
    """The first and the second sentences of consecutive pairs, some blocks of text at a time."""
    corpus = kb.TextCorpus(pattern)
    for blocks in corpus.blocks().batch(24):
        ids = corpus.read(blocks, tokenizer).ids
        ids = tf.ragged.boolean_mask(ids, ids.row_lengths() > 0)
        count = ids.nrows() // 2 * 2
        yield ids[0:count:2], ids[1:count:2]


def batch_of(rows: dict[str, tf.Tensor], masker: kb.Masker) -> tuple[dict, dict, dict]:
    masked = masker(rows["token_ids"], [1, 2])
    x = {
        "token_ids": masked["token_ids"],
        "segment_ids": rows["segment_ids"],
        "padding_mask": rows["padding_mask"],
        "mask_positions": masked["mask_positions"],
    }
    exists = rows["exists"] if rows["exists"].shape[1] > 1 else rows["exists"][:, 0]
    y = {"masked_lm": masked["mask_ids"], "next_sentence": tf.zeros_like(exists, tf.int32)}
    return x, y, {"masked_lm": masked["mask_weights"], "next_sentence": exists}


def real_tokens(batches: list) -> int:
    return sum(int(tf.math.count_nonzero(x["padding_mask"])) for x, _, _ in batches)


def step_seconds(batches: list, arguments: Arguments, num_sequences: int) -> Callable[[], float]:
    keras.utils.set_random_seed(0)
    encoder = kb.BertEncoder(kb.BertConfig.preset(arguments.preset))
    model = kb.BertPretrainer(encoder, num_sequences=num_sequences)
    model.compile(kb.AdamW(1e-4), **model.objective())
    endless = itertools.cycle(batches)
    return lambda: seconds_of(lambda: model.train_on_batch(*next(endless)), at_least=3.0)


if __name__ == "__main__":
    flags.run(main, Arguments)
