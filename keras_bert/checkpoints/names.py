"""What weights are called by us, by Google and by the Hub: the words of a family's table."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping

from keras_bert.config import EncoderConfig

WIDTH = "hidden_dim"


@dataclasses.dataclass(frozen=True)
class WeightName:
    """One weight under its three names.

    Args:
        ours: str, path of the variable within its model.
        hub: str, name of the tensor in transformers' state dict.
        google: str, name in a checkpoint of google-research/bert; "" where Google's code has no
            such model.
        transposed_in: tuple of "google" and "hub", the forms that store the matrix the other way
            round (ours is [in, out], that of torch's `Linear` [out, in]).
        shape: tuple of sizes of ours, each an int or the config's field that says it; None where a
            task's labels do.
        part: which of how many equal parts of the Hub's tensor it is, along its first axis.
    """

    ours: str
    hub: str
    google: str = ""
    transposed_in: tuple[str, ...] = ()
    shape: tuple[str | int | None, ...] = ()
    part: tuple[int, int] = (0, 1)


@dataclasses.dataclass(frozen=True)
class Names:
    """The weights that a family's models of one config may have.

    Args:
        encoder: those that every encoder has.
        pooler: those of the encoder's pooler, which files without a head on it may lack; none where
            the pooler is a part of tasks' heads alone.
        heads: those of pretraining and of tasks; a model has some of them.
        tasks: those of the pooler and the head that files of some tasks name in another way, by the
            tasks' names.
    """

    encoder: tuple[WeightName, ...]
    pooler: tuple[WeightName, ...] = ()
    heads: tuple[WeightName, ...] = ()
    tasks: Mapping[str, tuple[WeightName, ...]] = dataclasses.field(default_factory=dict)

    def all(self, task: str | None = None) -> dict[str, WeightName]:
        """All of them by our names.

        Args:
            task: the task whose files they are in, by its name in the table of tasks; None of all
                other models.
        """
        of_task = self.tasks.get(task, ()) if task else ()
        return {name.ours: name for name in (*self.encoder, *self.pooler, *self.heads, *of_task)}


def dense(
    ours: str,
    hub: str,
    google: str = "",
    *,
    width_in: str | int = WIDTH,
    width_out: str | int = WIDTH,
) -> tuple[WeightName, WeightName]:
    """The names of a dense layer's kernel and bias, from those of the layer.

    Example:

    >>> from keras_bert.checkpoints.names import dense
    >>> [name.hub for name in dense("pooler/dense", "bert.pooler.dense")]
    ['bert.pooler.dense.weight', 'bert.pooler.dense.bias']
    """
    kernel, bias = _parts(google, "kernel", "bias")
    return (
        WeightName(f"{ours}/kernel", f"{hub}.weight", kernel, ("hub",), (width_in, width_out)),
        WeightName(f"{ours}/bias", f"{hub}.bias", bias, (), (width_out,)),
    )


def norm(
    ours: str, hub: str, google: str = "", *, width: str = WIDTH
) -> tuple[WeightName, WeightName]:
    """The names of a layer norm's scale and offset, from those of the layer."""
    gamma, beta = _parts(google, "gamma", "beta")
    return (
        WeightName(f"{ours}/gamma", f"{hub}.weight", gamma, (), (width,)),
        WeightName(f"{ours}/beta", f"{hub}.bias", beta, (), (width,)),
    )


def table(ours: str, hub: str, google: str, rows: str, *, width: str = WIDTH) -> WeightName:
    """The name of a table of embeddings, whose rows are as many as a field of the config says."""
    return WeightName(f"{ours}/embeddings", hub, google, (), (rows, width))


def widths_of_block(config: EncoderConfig, i: int) -> dict[str, dict[str, int]]:
    """The dense layers of a block, and those of their sizes that are not `hidden_dim`.

    Args:
        config: EncoderConfig.
        i: int, the block's number.

    Returns:
        dict of options of `dense` by our names of the layers.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints.names import widths_of_block
    >>> widths_of_block(kb.BertConfig.preset("tiny"), 0)["intermediate"]
    {'width_out': 512}
    """
    of_heads, columns = config.heads_of(i) * config.head_dim, config.intermediate_dim_of(i)
    return {
        "attention/query": {"width_out": of_heads},
        "attention/key": {"width_out": of_heads},
        "attention/value": {"width_out": of_heads},
        "attention/output": {"width_in": of_heads},
        "intermediate": {"width_out": columns},
        "output": {"width_in": columns},
    }


# The layers of a block, dense ones and norms, as BERT calls them, and those who took its code.
OF_BERT = {
    "attention/query": "attention/self/query",
    "attention/key": "attention/self/key",
    "attention/value": "attention/self/value",
    "attention/output": "attention/output/dense",
    "attention_norm": "attention/output/LayerNorm",
    "intermediate": "intermediate/dense",
    "output": "output/dense",
    "output_norm": "output/LayerNorm",
}


def block(
    config: EncoderConfig,
    i: int,
    hub: str,
    google: str = "",
    *,
    layers: Mapping[str, str] = OF_BERT,
) -> tuple[WeightName, ...]:
    """The names of a block's weights.

    Args:
        config: EncoderConfig.
        i: int, the block's number.
        hub, google: what the names of its weights begin with.
        layers: what its dense layers and norms are called there, with slashes, by our names.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints.names import block
    >>> block(kb.BertConfig.preset("mini"), 3, "bert.encoder.layer.3")[0].hub
    'bert.encoder.layer.3.attention.self.query.weight'
    """
    found: list[WeightName] = []
    widths = widths_of_block(config, i)
    for ours, theirs in layers.items():
        variable, tensor = f"layer_{i}/{ours}", f"{hub}.{theirs.replace('/', '.')}"
        in_google = google and f"{google}/{theirs}"
        if ours in widths:
            found += dense(variable, tensor, in_google, **widths[ours])
        else:
            found += norm(variable, tensor, in_google)
    return tuple(found)


def head(
    ours: str, hub: str, google: str = "", num_outputs: int | None = None
) -> tuple[WeightName, WeightName]:
    """The names of a last dense layer, which Google's code stores as a tensor of its own.

    Args:
        google: what both names begin with.
        num_outputs: int; None where a task's labels say it.
    """
    weights, bias = (google and f"{google}_{part}" for part in ("weights", "bias"))
    return (
        WeightName(
            f"{ours}/kernel", f"{hub}.weight", weights, ("google", "hub"), (WIDTH, num_outputs)
        ),
        WeightName(f"{ours}/bias", f"{hub}.bias", bias, (), (num_outputs,)),
    )


def present_name(prefix: str, bare: tuple[str, ...]) -> Callable[[str], str]:
    """A function from the names in a file, of any version of transformers, to the present ones.

    Args:
        prefix: what the names of an encoder's tensors begin with under a head.
        bare: what they begin with without one.

    Example:

    >>> from keras_bert.checkpoints.names import present_name
    >>> present_name("bert.", ("embeddings.",))("embeddings.LayerNorm.gamma")
    'bert.embeddings.LayerNorm.weight'
    """

    def present(name: str) -> str:
        for old, new in _OLD_NORM.items():
            name = re.sub(rf"{re.escape(old)}$", new, name)
        return f"{prefix}{name}" if name.startswith(bare) else name

    return present


_OLD_NORM = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


def _parts(google: str, *parts: str) -> tuple[str, ...]:
    return tuple(google and f"{google}/{part}" for part in parts)
