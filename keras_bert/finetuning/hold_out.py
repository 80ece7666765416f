"""Holding out: a share of the examples, to score what is learned from the others."""

from __future__ import annotations

import fractions
import itertools
import math
from collections.abc import Sequence
from typing import TypeVar

AnyExample = TypeVar("AnyExample")


def hold_out(
    examples: Sequence[AnyExample], share: float
) -> tuple[list[AnyExample], list[AnyExample]]:
    """The examples to learn from, and a share of them that is held out, of all parts of a file.

    Which ones depends on their number and the share alone, so that every seed holds out the same.

    Args:
        examples: sequence.
        share: float, above 0 and below 1.

    Raises:
        ValueError: the share does not lie between 0 and 1, or nothing would be left on one side.

    Example:

    >>> from keras_bert.finetuning.hold_out import hold_out
    >>> hold_out(range(10), 0.2)
    ([0, 1, 2, 3, 5, 6, 7, 8], [4, 9])
    """
    if not 0 < share < 1:
        raise ValueError(f"--eval_share must lie between 0 and 1, not {share}.")
    exact = fractions.Fraction(str(share))
    # The n-th is held out where n shares pass a whole number: of 0.1 every tenth.
    counts = [math.floor(exact * n) for n in range(len(examples) + 1)]
    is_held_out = [after > before for before, after in itertools.pairwise(counts)]
    learned, held_out = (
        [one for one, held in zip(examples, is_held_out, strict=True) if held is which]
        for which in (False, True)
    )
    if not held_out or not learned:
        raise ValueError(
            f"--eval_share={share} of {len(examples)} examples leaves {len(learned)} to learn from "
            f"and {len(held_out)} to hold out: choose another share, or give --eval_files."
        )
    return learned, held_out
