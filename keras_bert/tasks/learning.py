"""Learning: what a task learns from, and Keras' compile, fit and evaluate, which take that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert.tasks import streams
from keras_bert.tasks.batches import batches, made_of_all, of_rows, taken
from keras_bert.tasks.examples import Example, Reads, as_examples, text_columns, with_labels
from keras_bert.tasks.hooks import Hooks
from keras_bert.tasks.weights import class_weights, example_weights
from keras_bert.text.packing import Packer
from keras_bert.training.one_shape import for_devices
from keras_bert.training.optimizers import AdamW
from keras_bert.training.schedules import Schedule
from keras_bert.training.trainable import Trainable

# As of `train.finetune`: the peak of the rate, the share of the updates up to it, and a batch.
LEARNING_RATE = 2e-5
WARMUP_SHARE = 0.1
BATCH_SIZE = 32

# An epoch of batches, shuffled where it is called with True.
Epochs: TypeAlias = Callable[..., tf.data.Dataset]


class Learning(Hooks, Trainable):
    """How a task learns. `Task`, which stands on it, is what is asked.

    `fit` and `evaluate` take what Keras' own take, features and labels by their names; and examples
    as people have them: texts and labels, tables, a `tf.data.Dataset` of texts.
    """

    packer: Packer

    # Whether the optimizer is the one of `compile` without one.
    _has_default_rate = False
    _num_fits = 0

    def compile(self, optimizer=None, loss=None, **options) -> None:
        """Configure the training.

        Without arguments the optimizer is `AdamW` with a peak of 2e-5, to which `fit` has the rate
        rise for a tenth of its updates, and fall to 0 for the others (Devlin et al. 2018, A.3), in
        every call anew; the loss and its metrics are the task's `objective()`.

        Args:
            optimizer: as of every Keras model; None as above.
            loss: as of `Trainable.compile`; None is that of the objective, with its metrics.
            options: as of `Trainable.compile`.
        """
        if loss is None:
            options = {**self.objective(), **options}
            loss = options.pop("loss")
        self._has_default_rate = optimizer is None
        super().compile(AdamW(LEARNING_RATE) if optimizer is None else optimizer, loss, **options)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        **options,
    ):
        """Train, as `keras.Model.fit` does, on examples as they are.

        A task that is not compiled is compiled by its defaults.

        Args:
            x: texts; examples in all forms that `as_examples` takes, with what is learned in their
                own column, or behind the texts of a tuple, where `y` is None; a `tf.data.Dataset`
                of such, or of (x, y) or (x, y, weights), in batches or not, which is read anew in
                every epoch; or what every Keras model takes: features by their names.
            y: the label of each example, by name or by number, in what form the task has it; or
                columns.
            batch_size: int, examples of a batch, 32 if it is None; batches of a dataset stay.
            validation_split: float, the share of the examples to hold out, the last ones.
            validation_data: (x, y), (x, y, weights) or x, in the forms above.
            shuffle: bool, whether texts are in another order in every epoch; datasets stay.
            class_weight: dict of float by label, its name or number, where an example has one.
            sample_weight: a float for each example, by which its loss counts.
            epochs, verbose, callbacks, options: as in Keras.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: there are no examples, or one lacks a column or has a wrong label.

        Example: see `TextClassifier`.
        """
        held_out_size = options.get("validation_batch_size") or batch_size
        faults: list[Exception] = []
        steps = options.get("steps_per_epoch")
        if streams.holds_texts(x, self.input_names):
            if validation_split and validation_data is None:
                (x, y, sample_weight), validation_data = self._split(
                    x, y, sample_weight, validation_split
                )
            weights = {"sample_weight": sample_weight, "class_weight": class_weight}
            x = self._data(x, y, batch_size, faults, training=bool(shuffle), **weights)
            x = x.repeat() if steps else x
            y = batch_size = class_weight = sample_weight = None
            validation_split = 0.0
        if validation_data is not None:
            validation_data = self._held_out(validation_data, held_out_size, faults)
        self._set_rate(x, steps, epochs - options.get("initial_epoch", 0))
        if isinstance(x, tf.data.Dataset):
            shuffle = False  # Keras would warn that it does not.
        with streams.told(faults):
            return super().fit(
                *(x, y, batch_size, epochs, verbose, callbacks),
                validation_split=validation_split,
                validation_data=validation_data,
                shuffle=shuffle,
                class_weight=class_weight,
                sample_weight=sample_weight,
                **options,
            )

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **options,
    ):
        """The loss and the metrics of examples, as `keras.Model.evaluate` gives them.

        Args:
            x, y, batch_size, sample_weight: as of `fit`.
            verbose, steps, callbacks, return_dict: as in Keras.

        Returns:
            As in Keras: a float, a list of them, or a dict by name. `scores` has what is said of
            answers.
        """
        faults: list[Exception] = []
        if not self.compiled:
            with self.distribute_strategy.scope():
                self.compile()
        if streams.holds_texts(x, self.input_names):
            x = self._data(x, y, batch_size, faults, sample_weight=sample_weight)
            y = batch_size = sample_weight = None
        with streams.told(faults):
            return super().evaluate(
                *(x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict),
                **options,
            )

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the features that the model takes."""
        return tuple(tensor.name for tensor in keras.tree.flatten(self.inputs))

    @property
    def input_specs(self) -> dict[str, tuple[tuple, str]]:
        """Shape and dtype of the features that the model takes, by name."""
        return {one.name: (one.shape, one.dtype) for one in keras.tree.flatten(self.inputs)}

    def model_inputs(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Those features that the model takes."""
        return {name: features[name] for name in self.input_names}

    def as_examples(self, given: Any, labels: Any = None) -> list[Example]:
        """Examples to learn from as dicts, from all that may stand for them.

        Args:
            given: as of `fit`.
            labels: as of `fit`; None where they are in the examples.
        """
        if isinstance(given, tf.data.Dataset):
            return streams.examples_of(given, self.reads, self.label_column)[0]
        examples, is_one = as_examples(given, self.reads)
        if labels is None:
            return examples
        return with_labels(examples, [labels] if is_one else labels, self.label_column)

    @property
    def reads(self) -> Reads:
        """What may stand for an example to learn from."""
        return Reads(self.example_spec, self.other_spec, self.learned_columns)

    def dataset(
        self,
        examples: Sequence[Example],
        batch_size: int,
        *,
        training: bool = False,
        seed: int = 0,
        sample_weight: Sequence[float] | None = None,
    ) -> tf.data.Dataset:
        """Batches for `fit` and `evaluate`.

        Texts are cut into pieces here, once; rows are made of them batch by batch.

        Args:
            examples: sequence of dicts, or what `as_examples` takes for it; of a `tf.data.Dataset`
                all is read.
            batch_size: int, examples of a batch, or rows where an example may have several; the
                last one may have fewer.
            training: bool, whether to shuffle, anew for every epoch.
            seed: int, of the order, together with `tf.random.set_seed`.
            sample_weight: sequence of float, one for each example, by which its loss counts; None
                counts all alike.

        Returns:
            One epoch of (features, labels, weights); on a TPU, in whose scope this is called then,
            all batches are of one shape.

        Raises:
            ValueError: there is no example, one lacks a column or has a wrong label, or weights are
                not as many, or negative.
        """
        if isinstance(examples, tf.data.Dataset) and sample_weight is None:
            examples, weights = streams.examples_of(examples, self.reads, self.label_column)
            sample_weight = None if weights is None else weights.tolist()
        examples = self.as_examples(examples)
        columns = self.training_columns(examples, sample_weight)
        epoch = self.epochs_of(columns, batch_size, seed)
        return for_devices(epoch(training), like=epoch)

    def epochs_of(self, columns: tuple, batch_size: int, seed: int) -> Epochs:
        """What makes an epoch of batches, shuffled or not, of the `training_columns`."""
        inputs, targets = columns
        number = len(targets["weight"])
        # What is learned may be read as well; a column that the user named so is what is read.
        pieces = made_of_all(self.tokenized, {**targets, **inputs}, number)
        num_rows = self.count_rows(self.num_tokens(pieces).numpy())

        def batch(indices: tf.Tensor):
            return self.batch_of(taken(pieces, indices), taken(targets, indices))

        def epoch(training: bool = False) -> tf.data.Dataset:
            found = batches(batch, number, batch_size, training=training, seed=seed)
            return found if num_rows == number else of_rows(found, num_rows, batch_size)

        return epoch

    def batch_of(self, pieces: Mapping[str, tf.Tensor], targets: Mapping[str, tf.Tensor]) -> tuple:
        """Features, labels and weights of a batch, of its pieces and of what is to be learned."""
        features = self.packed(pieces)
        return (self.model_inputs(features), *self.targets(targets, features))

    def check_examples(self, examples: Sequence[Example]) -> None:
        """Raises what `dataset` would raise of examples."""
        self.training_columns(examples)

    def training_columns(
        self, examples: Sequence[Example], sample_weight: Sequence[float] | None = None
    ) -> tuple[dict[str, tf.Tensor | tf.RaggedTensor], dict[str, tf.Tensor | tf.RaggedTensor]]:
        """All that `dataset` needs of examples, as columns; raises what it raises.

        Returns:
            The `input_columns`; and the `target_columns` with float32 [N] `weight`.
        """
        if not examples:
            raise ValueError("There must be at least one example, but there is none: check files.")
        inputs = self.input_columns(examples)
        weight = example_weights(sample_weight, examples)
        return inputs, {**self.target_columns(examples), "weight": weight}

    def input_columns(self, examples: Sequence[Example]) -> dict[str, tf.Tensor | tf.RaggedTensor]:
        """The columns of `example_spec` as tensors.

        Raises:
            ValueError: an example lacks a column, or has something else than text in it.
        """
        return text_columns(examples, self.example_spec)

    def count_rows(self, num_tokens: np.ndarray) -> int:
        """How many rows a dataset has; says how many of its examples are cut, or take several.

        Args:
            num_tokens: int [N], of all examples.
        """
        limit = self.packer.sequence_length
        is_cut = num_tokens > limit
        if is_cut.any():
            logging.warning(
                "%d of %d examples are longer than %d pieces and are cut: %s if what is lost "
                "matters.",
                *(is_cut.sum(), len(is_cut), limit, self.IF_CUT),
            )
        return len(num_tokens)

    def _data(
        self, x, y, batch_size, faults, *, training=False, sample_weight=None, class_weight=None
    ) -> tf.data.Dataset:
        """Batches of examples as they were given."""
        size = batch_size or BATCH_SIZE
        if isinstance(x, tf.data.Dataset):
            streams.check_alone(y=y, sample_weight=sample_weight, class_weight=class_weight)
            return streams.streamed(self, x, size, faults)
        examples = self.as_examples(x, y)
        if class_weight is not None:
            weights = class_weights(
                examples, self.label_column, getattr(self, "labels", ()), class_weight
            )
            given = np.ones(len(weights)) if sample_weight is None else np.asarray(sample_weight)
            sample_weight = given * weights
        # Called again, `fit` has another order.
        self._num_fits += training
        return self.dataset(
            examples, size, training=training, seed=self._num_fits, sample_weight=sample_weight
        )

    def _split(self, x, y, sample_weight, share: float) -> list[tuple]:
        """What is learned from, and the last examples, which are held out; with their weights."""
        if isinstance(x, tf.data.Dataset):
            raise ValueError(
                "The share of examples to hold out must be of texts, but x is a tf.data.Dataset: "
                "give validation_data, such as x.take(n), and x.skip(n) to learn from."
            )
        examples = self.as_examples(x, y)
        number = int(len(examples) * (1 - share))
        if not 0 < number < len(examples):
            raise ValueError(
                f"validation_split must leave examples on both sides, but {share} of "
                f"{len(examples)} does not: choose another share."
            )
        weights = None if sample_weight is None else np.asarray(sample_weight)
        parts = slice(number), slice(number, None)
        return [(examples[i], None, weights if weights is None else weights[i]) for i in parts]

    def _held_out(self, data: Any, batch_size: int | None, faults: list[Exception]) -> Any:
        """Held-out data as Keras takes it."""
        given = keras.utils.unpack_x_y_sample_weight(data) if isinstance(data, tuple) else (data,)
        x, y, sample_weight = (*given, None, None)[:3]
        if not streams.holds_texts(x, self.input_names):
            return data
        return self._data(x, y, batch_size, faults, sample_weight=sample_weight)

    def _set_rate(self, x: Any, steps_per_epoch: int | None, epochs: int) -> None:
        """Sets the rate of the updates to come, where that is not the user's."""
        if self.compiled and not self._has_default_rate:
            _check_rate(self.optimizer)
            return
        num_batches = int(x.cardinality()) if isinstance(x, tf.data.Dataset) else 0
        num_steps = (steps_per_epoch or num_batches) * epochs
        # Where it is not known when the training ends, the rate stays.
        rate: Any = LEARNING_RATE
        if num_steps > 0:
            rate = Schedule(rate, num_steps, warmup_steps=int(WARMUP_SHARE * num_steps))
        with self.distribute_strategy.scope():
            if not self.compiled:
                self.compile()
            self.compile(**{**vars(self._given), "optimizer": AdamW(rate)})
        self._has_default_rate = True


def _check_rate(optimizer: keras.optimizers.Optimizer) -> None:
    """Says that a schedule has ended, where it ends with 0."""
    num_updates = int(optimizer.iterations.numpy())
    is_scheduled = isinstance(optimizer.get_config().get("learning_rate"), dict)
    if num_updates and is_scheduled and not float(optimizer.learning_rate):
        logging.warning(
            "The learning rate is 0, since its schedule ended within the %d updates so far: "
            "nothing will be learned. Compile with another one.",
            num_updates,
        )
