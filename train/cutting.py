"""The flags of what is cut while a task is fine-tuned, and what they are for the library."""

from __future__ import annotations

import dataclasses

import keras_bert as kb
from keras_bert import flags


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cutting:
    """What is gone in the end."""

    remove_heads: float = flags.flag(
        0.0, "share of all attention heads to remove while it is trained"
    )
    remove_columns: float = flags.flag(
        0.0, "share of all columns of the feed-forward networks to remove while it is trained"
    )


def check_cutting(arguments: Cutting, frozen_layers: int) -> None:
    """Refuses shares out of their range, and to judge what is not trained.

    Args:
        arguments: the flags of what is cut.
        frozen_layers: int, blocks that keep their weights.

    Raises:
        ValueError: the message names the flag.
    """
    for name in ("remove_heads", "remove_columns"):
        share = getattr(arguments, name)
        if not 0 <= share < 1:
            raise ValueError(f"--{name} must be a share in [0, 1), not {share}.")
        if share and frozen_layers:
            raise ValueError(
                f"--{name} removes what training moves towards 0, which --frozen_layers does not "
                "train: leave it out, or use keras-bert prune."
            )


def cut_of(arguments: Cutting, num_steps: int, warmup_steps: int) -> kb.finetuning.Cut | None:
    """What is cut, and between which updates; None where nothing is.

    Args:
        arguments: the flags of what is cut.
        num_steps: int, updates in all.
        warmup_steps: int, those until the peak of the rate.
    """
    shares = arguments.remove_heads, arguments.remove_columns
    return kb.finetuning.Cut.of(shares, num_steps, warmup_steps) if any(shares) else None
