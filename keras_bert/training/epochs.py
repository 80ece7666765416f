"""How the steps of a run are cut into epochs, and these into calls of `fit`."""

from __future__ import annotations

import dataclasses

# Steps between two points of the record within an epoch, at most, where nobody says it.
LOG_EVERY = 50


@dataclasses.dataclass(frozen=True, kw_only=True)
class Epochs:
    """The steps of a run, of which an epoch is those between two validations and checkpoints.

    Args:
        num_steps: int, the updates of the whole run.
        steps_per_epoch: int, the updates of an epoch; the last one may have fewer.
        save_every: int, the updates between two checkpoints within an epoch; None saves at the
            ends of epochs alone.
        log_every: int, the updates between two points of the record within an epoch; None has a
            tenth of an epoch, and at most 50.

    Raises:
        ValueError: one of them is no int of at least 1.

    Example:

    >>> from keras_bert.training.epochs import Epochs
    >>> epochs = Epochs(num_steps=23, steps_per_epoch=5)
    >>> [(e.start, e.first_epoch, e.last_epoch, e.length) for e in epochs.alike(start=8)]
    [(8, 1, 1, 2), (10, 2, 3, 5), (20, 4, 4, 3)]
    """

    num_steps: int
    steps_per_epoch: int
    save_every: int | None = None
    log_every: int | None = None

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            if name in ("save_every", "log_every") and value is None:
                continue
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be an int of at least 1, not {value!r}. Correct it.")

    @property
    def number(self) -> int:
        """How many there are."""
        return self.epoch(self.num_steps - 1) + 1

    def end(self, epoch: int) -> int:
        """The step at which an epoch, counted from 0, ends."""
        return min((epoch + 1) * self.steps_per_epoch, self.num_steps)

    def epoch(self, step: int) -> int:
        """The epoch, counted from 0, to which the update after `step` belongs."""
        return step // self.steps_per_epoch

    def is_within(self, step: int) -> bool:
        """Whether an epoch has begun before `step`, and has not ended."""
        return step % self.steps_per_epoch != 0 and step < self.num_steps

    def has_point(self, before: int, step: int) -> bool:
        """Whether there is a point of the record at `step`, or behind `before` and within an epoch.

        One that would leave less than half of its updates to the end of the epoch waits for that.

        Args:
            before: int, the step that callbacks saw before this one.
            step: int, one that they see; of those between, within one execution, it stands for all.

        Example:

        >>> from keras_bert.training.epochs import Epochs
        >>> epochs = Epochs(num_steps=14, steps_per_epoch=7, log_every=3)
        >>> [step for step in range(1, 15) if epochs.has_point(step - 1, step)]
        [3, 7, 10, 14]
        """
        epoch = self.epoch(before)
        start = epoch * self.steps_per_epoch
        every = self.log_every or max(1, min(LOG_EVERY, self.steps_per_epoch // 10))
        left = self.end(epoch) - step
        return left <= 0 or (
            2 * left >= every and (step - start) // every > (before - start) // every
        )

    def alike(self, start: int) -> list[Alike]:
        """The rest of a run: of an epoch that was broken off, whole epochs, a shorter last one."""
        runs: list[Alike] = []
        while start < self.num_steps:
            epoch = self.epoch(start)
            length = self.end(epoch) - start
            if runs and runs[-1].length == length:
                runs[-1] = dataclasses.replace(runs[-1], last_epoch=epoch)
            else:
                runs.append(Alike(start, epoch, epoch, length))
            start += length
        return runs


@dataclasses.dataclass(frozen=True)
class Alike:
    """Epochs of one length in a row: one call of `fit`."""

    start: int  # the step before the first of them
    first_epoch: int
    last_epoch: int
    length: int  # steps in each

    @property
    def num_steps(self) -> int:
        """The steps of all of them."""
        return (self.last_epoch - self.first_epoch + 1) * self.length
