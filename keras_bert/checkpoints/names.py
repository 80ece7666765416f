"""What every weight is called by us, by Google and by the Hub: one table for every direction."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class WeightName:
    """One weight under its three names.

    Args:
        ours: str, path of the variable within its model.
        google: str, name in a checkpoint of google-research/bert.
        hub: str, name of the tensor in transformers' state dict.
        transposed_in: tuple of "google" and "hub", the forms that store the matrix the other way
            round (ours is [in, out], that of torch's `Linear` [out, in]).
        shape: tuple of sizes of ours, each an int or the BertConfig's field that says it; None
            where a task's labels do.
    """

    ours: str
    google: str
    hub: str
    transposed_in: tuple[str, ...] = ()
    shape: tuple[str | int | None, ...] = ()


WIDTH = "hidden_dim"


def _dense(
    ours: str, google: str, hub: str, width_in: str = WIDTH, width_out: str = WIDTH
) -> tuple[WeightName, WeightName]:
    kernel = (f"{ours}/kernel", f"{google}/kernel", f"{hub}.weight")
    return (
        WeightName(*kernel, ("hub",), (width_in, width_out)),
        WeightName(f"{ours}/bias", f"{google}/bias", f"{hub}.bias", (), (width_out,)),
    )


def _norm(ours: str, google: str, hub: str) -> tuple[WeightName, WeightName]:
    return (
        WeightName(f"{ours}/gamma", f"{google}/gamma", f"{hub}.weight", (), (WIDTH,)),
        WeightName(f"{ours}/beta", f"{google}/beta", f"{hub}.bias", (), (WIDTH,)),
    )


def _block(i: int) -> tuple[WeightName, ...]:
    google, hub = f"bert/encoder/layer_{i}", f"bert.encoder.layer.{i}"
    parts = {
        "attention/query": ("attention/self/query",),
        "attention/key": ("attention/self/key",),
        "attention/value": ("attention/self/value",),
        "attention/output": ("attention/output/dense",),
        "intermediate": ("intermediate/dense", WIDTH, "intermediate_dim"),
        "output": ("output/dense", "intermediate_dim", WIDTH),
    }
    norms = {
        "attention_norm": ("attention/output/LayerNorm",),
        "output_norm": ("output/LayerNorm",),
    }
    return tuple(
        name
        for table, make in ((parts, _dense), (norms, _norm))
        for ours, (theirs, *widths) in table.items()
        for name in make(
            f"layer_{i}/{ours}",
            f"{google}/{theirs}",
            f"{hub}.{theirs.replace('/', '.')}",
            *widths,
        )
    )


def encoder_names(num_layers: int) -> tuple[WeightName, ...]:
    """Weights of a `BertEncoder` (of either norm order, with or without a position table).

    Example:

    >>> from keras_bert.checkpoints.names import encoder_names
    >>> [name.hub for name in encoder_names(1) if name.ours == "layer_0/attention/query/kernel"]
    ['bert.encoder.layer.0.attention.self.query.weight']
    """
    tables = {
        "token": ("word_embeddings", "vocabulary_size"),
        "position": ("position_embeddings", "max_sequence_length"),
        "segment": ("token_type_embeddings", "num_segments"),
    }
    return (
        *(
            WeightName(
                f"embeddings/{ours}/embeddings",
                f"bert/embeddings/{theirs}",
                f"bert.embeddings.{theirs}.weight",
                (),
                (rows, WIDTH),
            )
            for ours, (theirs, rows) in tables.items()
        ),
        *_norm("embeddings/norm", "bert/embeddings/LayerNorm", "bert.embeddings.LayerNorm"),
        *(name for i in range(num_layers) for name in _block(i)),
        # Pre-norm only: the norm behind the last block.
        *_norm("norm", "bert/encoder/LayerNorm", "bert.encoder.LayerNorm"),
        *_dense("pooler/dense", "bert/pooler/dense", "bert.pooler.dense"),
    )


def pretraining_names(sentence_objective: str = "next_sentence") -> tuple[WeightName, ...]:
    """Weights of the heads of a `BertPretrainer`, without the encoder's.

    Both references call the head of a sentence objective `seq_relationship`, whatever it predicts.
    """
    transform = ("masked_lm/{}", "cls/predictions/transform/{}", "cls.predictions.transform.{}")
    return (
        *_dense(*(form.format("dense") for form in transform)),
        *_norm(transform[0].format("norm"), *(form.format("LayerNorm") for form in transform[1:])),
        WeightName(
            "masked_lm/bias",
            "cls/predictions/output_bias",
            "cls.predictions.bias",
            (),
            ("vocabulary_size",),
        ),
        WeightName(
            f"{sentence_objective}/kernel",
            "cls/seq_relationship/output_weights",
            "cls.seq_relationship.weight",
            ("google", "hub"),
            (WIDTH, 2),
        ),
        WeightName(
            f"{sentence_objective}/bias",
            "cls/seq_relationship/output_bias",
            "cls.seq_relationship.bias",
            (),
            (2,),
        ),
    )


def task_names() -> tuple[WeightName, ...]:
    """Weights of the heads of tasks; Google's are those of `run_classifier.py` and `run_squad.py`.

    Example:

    >>> from keras_bert.checkpoints.names import task_names
    >>> [name.hub for name in task_names() if name.ours == "span/kernel"]
    ['qa_outputs.weight']
    """
    heads = (("classifier", "output", "classifier"), ("span", "cls/squad/output", "qa_outputs"))
    return tuple(
        name
        for ours, google, hub in heads
        for name in (
            WeightName(
                f"{ours}/kernel",
                f"{google}_weights",
                f"{hub}.weight",
                ("google", "hub"),
                (WIDTH, None),
            ),
            WeightName(f"{ours}/bias", f"{google}_bias", f"{hub}.bias", (), (None,)),
        )
    )
