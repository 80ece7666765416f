"""Lesson: what a student learns of its teacher, of what it says and of what it has within it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_bert.config import EncoderConfig
from keras_bert.layers.relations import attention_loss, cosine_loss, relation_loss, state_loss
from keras_bert.layers.transformer import Called
from keras_bert.training.distillation import Itself

OUTPUTS = "outputs"
# What is learned of its inner states.
INNER = {
    "hidden_states": state_loss,
    "attention": attention_loss,
    "relations": relation_loss,
    "cosine": cosine_loss,
}
# What of a config must be the teacher's for it.
SIZES = {"hidden_states": "hidden_dim", "attention": "num_heads", "cosine": "hidden_dim"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a student learns of its teacher.

    Args:
        temperature: float above 0, by which logits are divided (Hinton et al. 2015,
            arXiv:1503.02531).
        share: float in (0, 1], of the loss, that is the teacher's; labels have the rest.
        of: sequence of str: "outputs", the soft targets; and of one teacher alone "cosine", that of
            the last hidden states (DistilBERT, arXiv:1910.01108), "hidden_states" and "attention"
            (TinyBERT, arXiv:1909.10351), or "relations" (MiniLMv2, arXiv:2012.15828), which ask for
            no width and no number of heads.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import keras_bert as kb
    >>> kb.Lesson(of=("outputs", "relations")).inner
    ['relations']
    """

    temperature: float = 2.0
    share: float = 0.5
    of: Sequence[str] = (OUTPUTS,)

    def __post_init__(self):
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature!r}: 2 is usual.")
        if not 0 < self.share <= 1:
            raise ValueError(
                f"The teacher's share must lie in (0, 1], not {self.share!r}: 1 leaves labels out."
            )
        known = (OUTPUTS, *INNER)
        if not self.of or not set(self.of) <= set(known):
            raise ValueError(
                f"What is learned of a teacher must be some of {', '.join(known)}, not "
                f"{', '.join(self.of) or 'nothing'}: name one or several."
            )

    @property
    def inner(self) -> list[str]:
        """What of inner states is learned."""
        return [name for name in INNER if name in self.of]

    def objective(self, own: Mapping[str, Any], soft: Mapping[str, keras.losses.Loss]) -> dict:
        """The losses of labels and those of the teacher, by their shares.

        Args:
            own: dict of `loss` and `loss_weights`, those of labels.
            soft: dict of the losses by which outputs are learned of the teacher, by their names;
                of the others there are labels alone.

        Returns:
            dict of `loss` and `loss_weights`, as keyword arguments of `compile`.
        """
        losses, scales = {}, {}
        for name, loss in own["loss"].items():
            factor = own.get("loss_weights", {}).get(name, 1.0)
            share = self.share if name in soft else 0.0
            if share < 1:
                losses[name], scales[name] = loss, factor * (1 - share)
            if share and OUTPUTS in self.of:
                losses[soft_name(name)] = soft[name]
                scales[soft_name(name)] = factor * share
        for name in self.inner:
            losses[name], scales[name] = Itself(), self.share
        return {"loss": losses, "loss_weights": scales}

    def inner_losses(
        self, own: Sequence[Called], taught: Sequence[Called], padding_mask: Any
    ) -> dict[str, Any]:
        """What inner states differ by, float32 [B] by name.

        Args:
            own: sequence of Called, the student's blocks.
            taught: sequence of Called, the teacher's.
            padding_mask: int [B, T], 0 where there is padding, else the number of the sequence.
        """
        return {name: INNER[name](own, taught, padding_mask) for name in self.inner}

    def check_teachers(self, own: EncoderConfig, teachers: Sequence[EncoderConfig]) -> None:
        """Refuses teachers of whose inner states nothing can be learned.

        Args:
            own: the student's config.
            teachers: sequence of the teachers' configs.

        Raises:
            ValueError: there are several, or sizes differ that are compared.
        """
        if self.inner and len(teachers) > 1:
            raise ValueError(
                f"{self.inner[0]} are those of one teacher, but there are {len(teachers)}: "
                "name one, or learn of outputs alone."
            )
        for name in self.inner:
            size = SIZES.get(name)
            if size and getattr(own, size) != getattr(teachers[0], size):
                raise ValueError(
                    f"{name} asks for the teacher's {size}, {getattr(teachers[0], size)}, but the "
                    f"student has {getattr(own, size)}: learn relations, which any size has."
                )


class JudgedByLabels:
    """A model, in front of its kind, whose compiled metrics are of labels alone."""

    output: dict[str, keras.KerasTensor]

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """As of every model, of the outputs that the plain model has."""
        parent: Any = super()
        return parent.compute_metrics(x, *map(self._of_labels, (y, y_pred, sample_weight)))

    def _compute_metrics_if(self, finite, x, y, y_pred, sample_weight) -> None:
        parent: Any = super()
        parent._compute_metrics_if(finite, x, *map(self._of_labels, (y, y_pred, sample_weight)))

    def _of_labels(self, tree: Any) -> Any:
        if not isinstance(tree, Mapping):
            return tree
        return {name: value for name, value in tree.items() if name in self.output}


def soft_name(name: str) -> str:
    """The name that an output has as what the teacher says of it."""
    return f"soft_{name}"
