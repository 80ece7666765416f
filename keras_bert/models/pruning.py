"""Pruning: a model without some of its heads, columns or blocks, which are really gone."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import keras
import numpy as np

from keras_bert.config import EncoderConfig
from keras_bert.models.resizing import encoder_of

Model = TypeVar("Model", bound=keras.Model)

# The axis of a variable of a block that heads, or columns, stand on.
OF_HEADS = {
    **{f"attention/{part}/kernel": 1 for part in ("query", "key", "value")},
    **{f"attention/{part}/bias": 0 for part in ("query", "key", "value")},
    "attention/output/kernel": 0,
}
OF_COLUMNS = {"intermediate/kernel": 1, "intermediate/bias": 0, "output/kernel": 0}

Removed = Mapping[int, Sequence[int]]


def prune(
    model: Model,
    *,
    heads: Removed | None = None,
    columns: Removed | None = None,
    layers: Sequence[int] = (),
) -> Model:
    """A model with the weights of another, but without some parts of its blocks.

    It computes what the other one computes with these parts' outputs 0, and has fewer numbers and
    products by what is gone. Heads and columns may be as many as one likes in each block; whole
    blocks are left out as Sajjad et al. 2020 (arXiv:2004.03844) do, whose best choice is the last
    ones; of a ModernBERT no others can be.

    Args:
        model: an encoder, a pretrainer or a task.
        heads: dict of the numbers of attention heads that go, by that of their block, all counted
            from 0; `importance` and `least_important` find some.
        columns: the same of the columns of feed-forward networks.
        layers: sequence of int, blocks that go.

    Returns:
        A new model of the same kind, not compiled yet; the old one is not changed.

    Raises:
        ValueError: the model is of another kind, there is no such part, or nothing would be left.

    Example:

    >>> import keras_bert as kb
    >>> config = kb.BertConfig(
    ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> encoder = kb.prune(kb.BertEncoder(config), heads={0: [1, 2]}, layers=[1])
    >>> encoder.config.num_layers, encoder.config.layer_heads
    (1, (1,))
    """
    encoder = encoder_of(model, "pruned")
    config, heads, columns = encoder.config, heads or {}, columns or {}
    _check(config, heads, columns, layers)
    kept = [layer for layer in range(config.num_layers) if layer not in set(layers)]
    smaller = model.on(encoder.anew(_config_of(config, heads, columns, kept)))
    old_variables = {variable.path: variable for variable in model.variables}
    for variable in smaller.variables:
        path, layer, part = _place(variable.path, kept)
        old = old_variables[path]
        value = np.asarray(old)
        for axes, removed, number_of, width in (
            (OF_HEADS, heads, config.heads_of, config.head_dim),
            (OF_COLUMNS, columns, config.intermediate_dim_of, 1),
        ):
            if part in axes and layer in removed:
                shape = (-1, number_of(layer), width)
                value = _without(value, axes[part], removed[layer], shape)
        variable.assign(value)
        variable.trainable = old.trainable
    return smaller


def shorten(model: Model, num_layers: int) -> Model:
    """A model with some of the blocks of another, from the first to the last at equal distances.

    Of 12 blocks 6 are the first, third, fifth, eighth, tenth and last, those from which DistilBERT
    starts (Sanh et al. 2019, arXiv:1910.01108).

    Args:
        model: an encoder, a pretrainer or a task.
        num_layers: int, blocks wanted.

    Returns:
        A new model of the same kind, not compiled yet; the old one is not changed.

    Raises:
        ValueError: there are not as many blocks, or the model is of another kind, or a ModernBERT,
            whose blocks differ by their places.

    Example:

    >>> import keras_bert as kb
    >>> encoder = kb.BertEncoder(kb.BertConfig.preset("mini"))
    >>> kb.shorten(encoder, 2).summed_up
    'BertEncoder of 2 x 256'
    """
    own = encoder_of(model, "shortened").config.num_layers
    if not 1 <= num_layers <= own:
        raise ValueError(
            f"num_layers must lie between 1 and the {own} that the model has, not {num_layers}."
        )
    kept = set(np.linspace(0, own - 1, num_layers).round().astype(int).tolist())
    return prune(model, layers=[layer for layer in range(own) if layer not in kept])


def silent_parts(model: keras.Model) -> Mapping[str, Removed]:
    """Heads and columns that add nothing, since the rows behind them are 0.

    Args:
        model: an encoder, a pretrainer or a task.

    Returns:
        dict of `heads` and `columns`, as `prune` takes them; one of each block stays.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> from keras_bert.models.pruning import silent_parts
    >>> encoder = kb.BertEncoder(kb.BertConfig.preset("tiny"))
    >>> kernel = encoder.blocks[1].projection.kernel
    >>> _ = kernel.assign(np.array(kernel) * (np.arange(512) != 3)[:, None])
    >>> silent_parts(encoder)
    {'heads': {}, 'columns': {1: [3]}}
    """
    found: dict[str, dict[int, list[int]]] = {"heads": {}, "columns": {}}
    for layer, block in enumerate(encoder_of(model, "pruned").blocks):
        columns = block.projection.kernel
        for name, kernel, number in (
            ("heads", block.attention.projection.kernel, block.attention.num_heads),
            ("columns", columns, columns.shape[0]),
        ):
            is_silent = ~np.array(kernel).reshape(number, -1).any(axis=1)
            silent = np.flatnonzero(is_silent)[: number - 1].tolist()
            if silent:
                found[name][layer] = silent
    return found


def check_has_blocks(config: EncoderConfig) -> None:
    """Refuses to take something from the blocks of a model that has none.

    Raises:
        ValueError: the config is that of a table of vectors.
    """
    if not config.num_layers:
        raise ValueError(
            "Heads, columns and blocks go from encoders with blocks, and a table of vectors has "
            "none: make a smaller one of fewer dimensions (keras-bert distill-embeddings)."
        )


def _place(path: str, kept: Sequence[int]) -> tuple[str, int, str]:
    """What a variable's path was, in which block, and the path within that; -1, "" in none."""
    found = re.match(r"layer_(\d+)/(.*)", path)
    if not found:
        return path, -1, ""
    layer = kept[int(found[1])]
    return f"layer_{layer}/{found[2]}", layer, found[2]


def _without(
    value: np.ndarray, axis: int, removed: Sequence[int], shape: tuple[int, int, int]
) -> np.ndarray:
    """An array without some parts along an axis.

    Its shape is how often all parts stand there (twice before a gate), how many there are, and how
    wide each is.
    """
    places = np.arange(value.shape[axis]).reshape(shape)
    return np.take(value, np.delete(places, list(removed), axis=1).ravel(), axis)


def _config_of(
    config: EncoderConfig, heads: Removed, columns: Removed, kept: Sequence[int]
) -> EncoderConfig:
    """The config of what is left. Blocks of one size are not said one by one."""
    if not (heads or columns):
        return config.of_layers(kept)
    layers = range(config.num_layers)
    own: dict[str, Any] = {
        "layer_heads": tuple(
            config.heads_of(layer) - len(set(heads.get(layer, ()))) for layer in layers
        ),
        "layer_intermediate_dims": tuple(
            config.intermediate_dim_of(layer) - len(set(columns.get(layer, ()))) for layer in layers
        ),
    }
    left = dataclasses.replace(config, **own).of_layers(kept)
    alike: dict[str, Any] = {}
    if {left.heads_of(layer) for layer in range(len(kept))} == {config.num_heads}:
        alike["layer_heads"] = None
    dims = {left.intermediate_dim_of(layer) for layer in range(len(kept))}
    if len(dims) == 1:
        alike |= {"layer_intermediate_dims": None, "intermediate_dim": dims.pop()}
    return dataclasses.replace(left, **alike)


def _check(config: EncoderConfig, heads: Removed, columns: Removed, layers: Sequence[int]) -> None:
    check_has_blocks(config)
    _check_parts("layers", layers, config.num_layers, "the model")
    for what, removed, number_of in (
        ("heads", heads, config.heads_of),
        ("columns", columns, config.intermediate_dim_of),
    ):
        for layer, parts in removed.items():
            if not 0 <= layer < config.num_layers:
                raise ValueError(
                    f"{what} name block {layer!r}, but the model's are 0 to "
                    f"{config.num_layers - 1}."
                )
            _check_parts(what, parts, number_of(layer), f"block {layer}")


def _check_parts(what: str, parts: Sequence[int], number: int, of: str) -> None:
    strange = [part for part in parts if not 0 <= part < number]
    if strange:
        raise ValueError(f"The {what} of {of} are 0 to {number - 1}, and none is {strange[0]!r}.")
    if len(set(parts)) >= number:
        raise ValueError(f"All {number} {what} of {of} would be gone: leave one at least.")
