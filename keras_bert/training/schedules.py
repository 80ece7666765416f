"""The learning rate at each step: linear warm-up, then a decay."""

from __future__ import annotations

import math

import keras
from keras import ops

SHAPES = ("linear", "polynomial", "cosine", "constant")


@keras.saving.register_keras_serializable(package="keras_bert")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0 to `peak`, then a decay that reaches `end` at `num_steps`.

    A step is counted as BERT's optimizer counts it: the number of updates done before this one.
    So the first update (step 0) has rate 0 when there is a warm-up, the update at `warmup_steps`
    has the peak, the last one (`num_steps - 1`) is still a little above `end`, and every later
    one has `end`. BERT's own code (https://github.com/google-research/bert, optimization.py)
    lets the decay run from step 0, below the warm-up, and therefore jumps at `warmup_steps` to
    `peak * (1 - warmup_steps / num_steps)`; here, as in the paper's words, the peak is reached.

    Args:
        peak: float above 0, the highest rate.
        num_steps: int, the step at which the decay has reached `end`.
        warmup_steps: int, 0 to `num_steps`; 0 starts at the peak.
        shape: the decay, with f running from 0 to 1 after the warm-up: `"linear"` 1 - f,
            `"polynomial"` (1 - f) ** power, `"cosine"` (1 + cos(pi f)) / 2, `"constant"` 1.
        end: float, 0 to `peak`, the rate from `num_steps` on; a constant shape ignores it.
        power: float above 0, for the polynomial.

    Returns:
        Called with a step (int, any shape): the rate, float32, of the same shape.

    Raises:
        ValueError: a value is out of its range.

    Example:

    >>> import keras_bert as kb
    >>> rate = kb.Schedule(1.0, num_steps=10, warmup_steps=2)
    >>> [float(rate(step)) for step in (0, 1, 2, 6, 10, 11)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """

    def __init__(
        self,
        peak: float,
        num_steps: int,
        *,
        warmup_steps: int = 0,
        shape: str = "linear",
        end: float = 0.0,
        power: float = 1.0,
    ):
        super().__init__()
        _check(peak, num_steps, warmup_steps, shape, end, power)
        self.peak = float(peak)
        self.num_steps = int(num_steps)
        self.warmup_steps = int(warmup_steps)
        self.shape = shape
        self.end = float(end)
        self.power = float(power)

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rate = self._decayed(step)
        if not self.warmup_steps:
            return rate
        rising = self.peak * step / self.warmup_steps
        return ops.where(step < self.warmup_steps, rising, rate)

    def _decayed(self, step):
        # A warm-up as long as the run leaves no step to the decay: it ends at once.
        length = max(1, self.num_steps - self.warmup_steps)
        fraction = ops.clip((step - self.warmup_steps) / length, 0.0, 1.0)
        if self.shape == "constant":
            return self.peak * ops.ones_like(fraction)
        if self.shape == "cosine":
            share = 0.5 * (1.0 + ops.cos(math.pi * fraction))
        else:
            share = (1.0 - fraction) ** (self.power if self.shape == "polynomial" else 1.0)
        return self.end + (self.peak - self.end) * share

    def get_config(self) -> dict:
        return {
            "peak": self.peak,
            "num_steps": self.num_steps,
            "warmup_steps": self.warmup_steps,
            "shape": self.shape,
            "end": self.end,
            "power": self.power,
        }


def scaled_to_batch(
    rate: float, warmup_share: float, *, batch_size: int, base_batch_size: int
) -> tuple[float, float]:
    """A learning rate, and the share of the steps that warm up, for another batch size.

    The rules by which You et al. 2019 (arXiv:1904.00962) train BERT by LAMB on batches of 512 to
    32,768 without tuning: the rate grows by the square root of the batch, the share in proportion
    to it, so that as many examples warm up.

    Args:
        rate: float above 0, the peak for `base_batch_size`.
        warmup_share: float, at least 0, the share for it.
        batch_size: int, rows of an update.
        base_batch_size: int, rows of the update that rate and share are known for.

    Returns:
        The rate and the share for `batch_size`.

    Raises:
        ValueError: a value is out of its range, or the share would be above 1.

    Example:

    >>> from keras_bert.training.schedules import scaled_to_batch
    >>> scaled_to_batch(1e-3, 0.01, batch_size=2048, base_batch_size=512)
    (0.002, 0.04)
    """
    for name, value in (("batch_size", batch_size), ("base_batch_size", base_batch_size)):
        if not _is_int(value) or value < 1:
            raise ValueError(f"{name} must be an int of at least 1, not {value!r}. Correct it.")
    times = batch_size / base_batch_size
    if not 0 < rate < math.inf or not 0 <= warmup_share * times <= 1:
        raise ValueError(
            "rate must be a number above 0, and warmup_share, times the growth of the batch, from "
            f"0 to 1; they are {rate!r} and {warmup_share!r}, and the batch grows {times:g} times. "
            "Correct them, or choose a smaller batch."
        )
    return rate * math.sqrt(times), warmup_share * times


def _check(peak, num_steps, warmup_steps, shape, end, power) -> None:
    """Raise a ValueError for the first value that is out of its range."""
    table = (
        (0 < peak < math.inf, "peak must be a number above 0", peak),
        (
            _is_int(num_steps) and num_steps >= 1,
            "num_steps must be an int of at least 1",
            num_steps,
        ),
        (
            _is_int(warmup_steps) and 0 <= warmup_steps <= num_steps,
            f"warmup_steps must be an int from 0 to num_steps={num_steps}",
            warmup_steps,
        ),
        (shape in SHAPES, f"shape must be one of {', '.join(SHAPES)}", shape),
        (0 <= end <= peak, f"end must be from 0 to peak={peak}", end),
        (0 < power < math.inf, "power must be a number above 0", power),
    )
    for holds, rule, value in table:
        if not holds:
            raise ValueError(f"{rule}, not {value!r}. Correct this argument of Schedule.")


def _is_int(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
