"""What weights are called by us, by Google and by the Hub: the words of a family's table."""

from __future__ import annotations

import dataclasses

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
    """

    ours: str
    hub: str
    google: str = ""
    transposed_in: tuple[str, ...] = ()
    shape: tuple[str | int | None, ...] = ()


@dataclasses.dataclass(frozen=True)
class Names:
    """The weights that a family's models of one config may have.

    Args:
        encoder: those that every encoder has.
        pooler: those of the encoder's pooler, which files without a head on it may lack.
        heads: those of pretraining and of tasks; a model has some of them.
    """

    encoder: tuple[WeightName, ...]
    pooler: tuple[WeightName, ...] = ()
    heads: tuple[WeightName, ...] = ()

    def all(self) -> dict[str, WeightName]:
        """All of them by our names."""
        return {name.ours: name for name in (*self.encoder, *self.pooler, *self.heads)}


def dense(
    ours: str, hub: str, google: str = "", *, width_in: str = WIDTH, width_out: str = WIDTH
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


def norm(ours: str, hub: str, google: str = "") -> tuple[WeightName, WeightName]:
    """The names of a layer norm's scale and offset, from those of the layer."""
    gamma, beta = _parts(google, "gamma", "beta")
    return (
        WeightName(f"{ours}/gamma", f"{hub}.weight", gamma, (), (WIDTH,)),
        WeightName(f"{ours}/beta", f"{hub}.bias", beta, (), (WIDTH,)),
    )


def table(ours: str, hub: str, google: str, rows: str) -> WeightName:
    """The name of a table of embeddings, whose rows are as many as a field of the config says."""
    return WeightName(f"{ours}/embeddings", hub, google, (), (rows, WIDTH))


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


def _parts(google: str, *parts: str) -> tuple[str, ...]:
    return tuple(google and f"{google}/{part}" for part in parts)
