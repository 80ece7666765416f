"""Encoders of other families and their training steps, beside transformers' of the same sizes.

    pip install '.[peers]'
    python -m benchmarks.families

Both get the same random rows without padding, all cores, and do the same work: the last hidden
states, or a training step of a masked language model with 20 predictions a row, clipping to norm 1
and AdamW. `ratio` is our time divided by transformers'. `benchmarks.tokenizer` has the speed of
byte-level pieces, which RoBERTa and ModernBERT are fed with.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

import keras_bert as kb
from benchmarks.encoder import POLICIES, encoder_inputs
from benchmarks.figures import in_processes, medians_in_turns, print_figure, seconds_of
from benchmarks.training_step import batch_of, read_shape
from keras_bert import flags
from keras_bert.models.encoder import Encoder


class Family(NamedTuple):
    """Our classes, and transformers' prefix and whatever it calls otherwise than BERT does."""

    config: type[kb.config.EncoderConfig]
    encoder: type[Encoder]
    prefix: str
    names: dict[str, str] = {}


FAMILIES = {
    "roberta": Family(kb.RobertaConfig, kb.RobertaEncoder, "Roberta"),
    "modernbert": Family(kb.ModernBertConfig, kb.ModernBertEncoder, "ModernBert"),
    "distilbert": Family(
        kb.DistilBertConfig, kb.DistilBertEncoder, "DistilBert", {"intermediate_size": "hidden_dim"}
    ),
    "electra": Family(kb.ElectraConfig, kb.ElectraEncoder, "Electra"),
}


@dataclasses.dataclass(frozen=True)
class Arguments:
    families: tuple[str, ...] = flags.flag(tuple(FAMILIES), "those to measure")
    inference_shapes: tuple[str, ...] = flags.flag(
        ("base:1x128", "base:8x128"), "size of the encoder:rows x tokens"
    )
    training_shapes: tuple[str, ...] = flags.flag(("base:8x128",), "the same of a training step")
    dtypes: tuple[str, ...] = flags.flag(("float32", "bfloat16"), "of the computation")
    num_rounds: int = flags.flag(5, "rounds, besides one to warm up")


def main(arguments: Arguments) -> None:
    for family in arguments.families:
        for dtype in arguments.dtypes:
            for shape in arguments.inference_shapes:
                compare("inference", INFERENCE, family, shape, dtype, arguments.num_rounds)
            for shape in arguments.training_shapes:
                compare("training_step", STEPS, family, shape, dtype, arguments.num_rounds)


def compare(
    what: str, makers: dict[str, Callable], family: str, shape: str, dtype: str, num_rounds: int
) -> None:
    """Prints the time of either side."""
    case = (family, *read_shape(shape), dtype)
    with in_processes({side: (make, *case) for side, make in makers.items()}) as candidates:
        medians = medians_in_turns(candidates, num_rounds)
    for side, seconds in medians.items():
        print_figure(
            f"families/{family}/{what}/{shape.replace(':', '/')}/{dtype}/{side}",
            round(1000 * seconds, 1),
            "ms",
            ratio=round(medians["keras_bert"] / seconds, 3),
        )


def our_encoder(family: str, preset: str, dtype: str) -> Encoder:
    """A fresh encoder of a family."""
    keras.utils.set_random_seed(0)
    made = FAMILIES[family]
    return made.encoder(made.config.preset(preset), dtype=POLICIES[dtype])


def encoder_seconds(family: str, preset: str, rows: int, length: int, dtype: str):
    encoder = our_encoder(family, preset, dtype)
    given = encoder_inputs(rows, length)
    inputs = {name: tf.constant(given[name]) for name in encoder.INPUTS}
    run = tf.function(lambda: encoder(inputs, training=False), autograph=False)
    return lambda: seconds_of(lambda: run()["sequence_output"].numpy())


def step_seconds(family: str, preset: str, rows: int, length: int, dtype: str):
    encoder = our_encoder(family, preset, dtype)
    model = kb.BertPretrainer(encoder, sentence_objective=None, dtype=POLICIES[dtype])
    model.compile(kb.AdamW(1e-4), **model.objective())
    x, y, weights = batch_of(rows, length)
    of_masks = ({"masked_lm": values["masked_lm"]} for values in (y, weights))
    batch = tf.nest.map_structure(tf.constant, (x, *of_masks))
    return lambda: seconds_of(lambda: model.train_on_batch(*batch))


def torch_model(family: str, preset: str, kind: str):
    """A fresh model of transformers of the same size."""
    import torch
    import transformers

    torch.manual_seed(0)
    torch.set_num_threads(os.cpu_count())
    made = FAMILIES[family]
    own = made.config.preset(preset)
    sizes = {
        "hidden_size": own.hidden_dim,
        "num_hidden_layers": own.num_layers,
        "num_attention_heads": own.num_heads,
        "intermediate_size": own.intermediate_dim,
    }
    if isinstance(own, kb.ElectraConfig):
        sizes["embedding_size"] = own.embedding_dim
    named = {made.names.get(name, name): size for name, size in sizes.items()}
    config = getattr(transformers, f"{made.prefix}Config")(
        vocab_size=own.vocabulary_size,
        # RoBERTa counts positions from behind the padding's id.
        max_position_embeddings=own.max_sequence_length + 2,
        **named,
    )
    return getattr(transformers, f"{made.prefix}{kind}")(config)


def torch_encoder_seconds(family: str, preset: str, rows: int, length: int, dtype: str):
    import torch

    model = torch_model(family, preset, "Model").eval().to(getattr(torch, dtype))
    ids = torch.tensor(encoder_inputs(rows, length)["token_ids"]).long()
    mask = torch.ones_like(ids)

    def call():
        with torch.inference_mode():
            return model(input_ids=ids, attention_mask=mask).last_hidden_state

    return lambda: seconds_of(call)


def torch_step_seconds(family: str, preset: str, rows: int, length: int, dtype: str):
    import torch

    model = torch_model(family, preset, "ForMaskedLM").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    x, y, _ = batch_of(rows, length)
    ids = torch.tensor(x["token_ids"]).long()
    labels = torch.full([rows, length], -100)
    positions = torch.tensor(x["mask_positions"]).long()
    labels.scatter_(1, positions, torch.tensor(y["masked_lm"]).long())

    def step() -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return lambda: seconds_of(step)


INFERENCE = {"keras_bert": encoder_seconds, "transformers": torch_encoder_seconds}
STEPS = {"keras_bert": step_seconds, "transformers": torch_step_seconds}

if __name__ == "__main__":
    flags.run(main, Arguments)
