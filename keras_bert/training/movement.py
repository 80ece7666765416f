"""Movement: parts of matrices that a training moves towards 0 are cut while it goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Parts:
    """Parts of several matrices, of which a share is cut.

    Args:
        kernels: sequence of variables [R, D].
        numbers: sequence of int, into how many parts the rows of each are divided, equal ones that
            follow each other.
        share: float in [0, 1), of the parts of all of them together, to be cut; one part at least
            of each stays.

    Raises:
        ValueError: the share is out of its range.

    Example:

    >>> import keras
    >>> from keras_bert.training.movement import Parts
    >>> kernels = [keras.Variable([[1.0, 2.0]] * rows) for rows in (6, 4)]
    >>> Parts(kernels, (3, 2), 0.4).number_to_cut, Parts(kernels, (3, 2), 0.9).number_to_cut
    (2, 3)
    """

    kernels: Sequence[keras.Variable]
    numbers: Sequence[int]
    share: float

    def __post_init__(self):
        if not 0 <= self.share < 1:
            raise ValueError(f"The share that is cut must lie in [0, 1), not {self.share!r}.")

    @property
    def number_to_cut(self) -> int:
        """How many parts are gone in the end."""
        total = sum(self.numbers)
        return min(round(self.share * total), total - len(self.numbers))


class Movement:
    """Which parts go, learned by a training: those that it moves towards 0, or away from it least.

    Sanh et al. 2020, "Movement Pruning" (arXiv:2005.07683), for blocks as of Lagunas et al. 2021
    (arXiv:2109.04838): the score of a part is the sum over updates of its weights times their
    gradients, with the other sign, and those with the lowest scores are 0 in the next step. What is
    cut keeps its weights aside, and its score goes on by the gradients that it would have, so that
    it may come back. The share that is cut grows by a cubic of the step (Zhu and Gupta 2017,
    arXiv:1710.01878), and once it is reached, what is cut stays so.

    All is done by an optimizer, of reduced and clipped gradients: `GuardedOptimizer.cut`.

    Args:
        groups: sequence of Parts; the parts of each compete with one another.
        first: int, the update after which the first part may be cut.
        last: int, the one after which all are; greater than `first`.

    Attributes:
        scores: for each group a list with a variable [N] for each matrix; `build` makes them.

    Raises:
        ValueError: the steps are in another order.

    Example:

    >>> import keras, numpy as np
    >>> from keras_bert.training.movement import Movement, Parts
    >>> from keras_bert.training.optimizers import AdamW
    >>> kernel, optimizer = keras.Variable(np.ones((2, 3), "float32")), AdamW(0.1)
    >>> optimizer.cut(Movement([Parts([kernel], [2], 0.5)], first=0, last=1))
    >>> optimizer.apply([np.array([[-1.0] * 3, [1.0] * 3], "float32")], [kernel])
    >>> np.array(kernel).any(axis=1).tolist()
    [True, False]
    """

    scores: list[list[keras.Variable]]
    _kept: list[list[keras.Variable]]
    _whole: list[list[keras.Variable]]

    def __init__(self, groups: Sequence[Parts], *, first: int, last: int):
        if not 0 <= first < last:
            raise ValueError(
                f"Parts are cut between two updates, but the first is {first} and the last {last}: "
                "give a later last one."
            )
        self.groups = tuple(groups)
        self.first, self.last = first, last
        self.scores, self._kept, self._whole = [], [], []

    def build(self, add_variable: Callable[..., keras.Variable]) -> None:
        """Makes the states: scores, which parts are there, and the weights of all.

        Args:
            add_variable: that of the optimizer.
        """
        if self.scores:
            return
        for group in self.groups:

            def made(shapes, what: str, first: str = "zeros", of=group.kernels):
                return [
                    add_variable(
                        shape=shape,
                        initializer=first,
                        dtype="float32",
                        name=f"{kernel.path.replace('/', '_')}_{what}",
                    )
                    for kernel, shape in zip(of, shapes, strict=True)
                ]

            numbers = [(number,) for number in group.numbers]
            self.scores.append(made(numbers, "score"))
            self._kept.append(made(numbers, "kept", "ones"))
            self._whole.append(made([kernel.shape for kernel in group.kernels], "whole"))

    def masked(
        self, gradients: Sequence[tf.Tensor], variables: Sequence[keras.Variable]
    ) -> list[tf.Tensor]:
        """Gradients, in which those of what is cut are 0.

        Args:
            gradients: a dense gradient for each variable.
            variables: sequence of variables.
        """
        kept = {id(kernel): state for kernel, (_, state, _) in self._states()}
        missing = kept.keys() - set(map(id, variables))
        if missing:
            raise ValueError(
                "What is cut must be trained, but of its matrices "
                f"{len(missing)} have no gradient: do not freeze them."
            )
        return [
            gradient * _by_row(kept[id(one)].value, gradient) if id(one) in kept else gradient
            for gradient, one in zip(gradients, variables, strict=True)
        ]

    def learn(
        self,
        gradients: Sequence[tf.Tensor],
        variables: Sequence[keras.Variable],
        factor: tf.Tensor | None,
    ) -> None:
        """Adds to the scores; before the update.

        Args:
            gradients: as they came, of what is cut too.
            variables: sequence of variables.
            factor: float scalar, which they are multiplied with; None is 1.
        """
        found = {id(one): gradient for gradient, one in zip(gradients, variables, strict=True)}
        for kernel, (score, kept, whole) in self._states():
            gradient = found[id(kernel)]
            there = _by_row(kept.value, gradient) > 0
            moved = -gradient * tf.where(there, kernel.value, whole.value)
            moved = tf.reduce_sum(tf.reshape(moved, [score.shape[0], -1]), axis=1)
            score.assign(score.value + (moved if factor is None else moved * factor))

    def cut(self, number: tf.Tensor) -> None:
        """Cuts as many parts as it is time for; after the update.

        Args:
            number: int scalar, of this update, counted from 1.
        """
        done = tf.cast(number, tf.float32) - self.first
        left = 1.0 - tf.clip_by_value(done / (self.last - self.first), 0.0, 1.0)
        for i, group in enumerate(self.groups):
            wanted = tf.round(group.number_to_cut * (1.0 - left**3))
            before = [state.value for state in self._kept[i]]
            is_done = tf.reduce_sum(1.0 - tf.concat(before, axis=0)) >= group.number_to_cut
            best = _all_but([score.value for score in self.scores[i]], wanted)
            for kernel, kept, whole, new in zip(
                group.kernels, self._kept[i], self._whole[i], best, strict=True
            ):
                there = _by_row(kept.value, kernel.value) > 0
                whole.assign(tf.where(there, kernel.value, whole.value))
                kept.assign(tf.where(is_done, kept.value, new))
                kernel.assign(whole.value * _by_row(kept.value, whole.value))

    def _states(self):
        """Each matrix, and its score, what is kept of it, and all of its weights."""
        for i, group in enumerate(self.groups):
            states = zip(self.scores[i], self._kept[i], self._whole[i], strict=True)
            yield from zip(group.kernels, states, strict=True)


def _by_row(parts: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A number for each part as a column [R, 1], one for each row of a matrix [R, D]."""
    return tf.repeat(parts, kernel.shape[0] // parts.shape[0])[:, None]


def _all_but(scores: Sequence[tf.Tensor], number: tf.Tensor) -> list[tf.Tensor]:
    """1 for each part but those of the lowest scores, so many; never all parts of one matrix."""
    best = [tf.one_hot(tf.argmax(score), score.shape[0], float("inf"), 0.0) for score in scores]
    ranked = tf.concat([score + one for score, one in zip(scores, best, strict=True)], axis=0)
    places = tf.math.invert_permutation(tf.argsort(ranked, stable=True))
    is_kept = tf.cast(tf.cast(places, tf.float32) >= number, tf.float32)
    return tf.split(is_kept, [score.shape[0] for score in scores])
