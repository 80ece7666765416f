"""One run of training: resumed where it stopped, stopped on NaN, and on record epoch by epoch."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import keras
import tensorflow as tf
from absl import logging

from keras_bert.training.callbacks import (
    DataLasts,
    OneTraining,
    RestoreMetrics,
    Seconds,
    StopOnNaN,
    Throughput,
)
from keras_bert.training.checkpointing import TrainingCheckpoint
from keras_bert.training.epochs import Alike, Epochs
from keras_bert.training.feeding import Shards, fed, own_cut
from keras_bert.training.progress import Progress, verbosity
from keras_bert.training.record import Record
from keras_bert.training.replicas import by_chief, num_replicas, this_worker
from keras_bert.training.signals import StopSignal

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def prepare(seed: int, precision: str = "float32") -> None:
    """Seed everything and set the precision; to be called before a model is built.

    Args:
        seed: int, for Python, NumPy and TensorFlow.
        precision: `"float32"`, or `"mixed_bfloat16"` or `"mixed_float16"`, which compute in
            bfloat16 or float16 and keep weights and losses in float32.

    Raises:
        ValueError: an unknown precision.

    Example:

    >>> import keras
    >>> from keras_bert.training.run import prepare
    >>> prepare(seed=1, precision="float32")
    >>> keras.config.dtype_policy().name
    'float32'
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}. Choose one."
        )
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)


def train(
    model: keras.Model,
    dataset_fn: Callable[[int], tf.data.Dataset] | Shards,
    output_dir: str | os.PathLike,
    epochs: Epochs,
    *,
    validation_data: tf.data.Dataset | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | None = None,
) -> dict[str, list[float]]:
    """Train to the end of all epochs, going on from the last checkpoint in `output_dir`.

    Every so many steps the means over them go to `steps.jsonl` and to TensorBoard. After each epoch
    the model is validated and saved, a line of figures goes to `metrics.jsonl` and to TensorBoard,
    by step, and the curve in `loss.png` is drawn anew. A run that was killed, run
    again, repeats what came after the last checkpoint; one that got SIGTERM or SIGINT saves first,
    and goes on from that very step. The weights are then bit for bit those of a run that was not
    stopped, on the same machine, if the data depends on the step alone and all randomness in the
    model comes from seed generators of its own, as in Keras' layers. One that a callback ended
    stays as it is.

    Under a `tf.distribute.Strategy` a batch is cut into the rows of each replica, and the numbers
    are those of one device. Of several workers, which share `output_dir`, the first one writes;
    all of them end after the same step where one got a signal, or a callback of one ended the run.

    Args:
        model: built and compiled; how far it got is what its optimizer has counted.
        dataset_fn: gives the batches from a step on, int; at least as many as are left. It is
            called once, with the step to go on from. `Shards` let each worker read its own.
        output_dir: path of the run's folder: `checkpoints/ tensorboard/ metrics.jsonl
            steps.jsonl loss.png`.
        epochs: `Epochs`, the updates of the whole run, those between two checkpoints, and those
            between two points of the record.
        validation_data: batches, finite, the same in all workers; None does not validate.
        callbacks: further ones, such as `callbacks.Throughput`. What they add to the logs of an
            epoch is on record, and one that sets `stop_training` ends the run, for good. The logs
            of a step are tensors. What they know is not in the checkpoints: Keras' `EarlyStopping`
            counts anew in a run that was killed.
        verbose: 0 shows nothing, 1 a bar, 2 lines; None a bar to a person, and lines to a file.

    Returns:
        For each figure a list with one value an epoch, over the whole run, its earlier parts
        included; `step` is the step at which the epoch ended, `learning_rate` that of the update
        after it.

    Raises:
        RunInterrupted: a signal came; the state is saved.
        FloatingPointError: updates in a row, or a weight, are not finite; the error names the step.
        ValueError: the checkpoints are gone, all damaged, of another model or of a later version,
            the data ends too early, or the model was not built in the scope of the strategy.
        OSError: the disk is full, or `output_dir` cannot be written to.

    Example:

    >>> import tempfile, keras, tensorflow as tf
    >>> from keras_bert.training.run import Epochs, train
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.1), loss="mse")
    >>> data = tf.data.Dataset.from_tensors((tf.ones((2, 1)), tf.ones((2, 1)))).repeat()
    >>> folder, epochs = tempfile.mkdtemp(), Epochs(num_steps=5, steps_per_epoch=2)
    >>> train(model, lambda step: data, folder, epochs, verbose=0)["step"]
    [2, 4, 5]
    """
    output_dir, stop = pathlib.Path(output_dir), StopSignal()
    with model.distribute_strategy.scope():
        _check_scope(model)
        checkpoint = TrainingCheckpoint(output_dir / "checkpoints", model)
        rates = [one for one in callbacks if isinstance(one, Throughput)]
        record = Record(checkpoint, stop, output_dir, epochs, rates)
        first_step = record.resume()
        if first_step >= epochs.num_steps or record.stopped:
            _tell_it_is_done(output_dir, first_step, epochs.num_steps)
            return record.log.history()
        # What forbids it shows now.
        by_chief(lambda: checkpoint.directory.mkdir(parents=True, exist_ok=True))
        validation_data = _of_known_length(validation_data)
        progress = Progress(epochs, record.points)
        shown = (record.points, progress)
        own = [Seconds(), StopOnNaN(), DataLasts(epochs), *callbacks, *shown, record]
        if record.within_epoch and epochs.is_within(first_step):
            own.insert(0, RestoreMetrics(checkpoint, epochs.epoch(first_step)))
        with stop, contextlib.closing(progress):
            _fit(model, dataset_fn, epochs, first_step, validation_data, own, verbose)
            record.obey(checkpoint.paths()[0])  # A signal may have come after the last save.
        return record.log.history()


def _fit(
    model: keras.Model,
    dataset_fn: Callable[[int], tf.data.Dataset] | Shards,
    epochs: Epochs,
    first_step: int,
    validation_data: tf.data.Dataset | None,
    own: Sequence[keras.callbacks.Callback],
    verbose: int | None,
) -> None:
    """Train from a step to the end, in one call of `fit` for all epochs of one length in a row."""
    verbose = verbosity(verbose, this_worker().is_chief)
    callbacks = OneTraining(own, model)
    shards = Shards.of(dataset_fn)
    cut = own_cut(shards.number)
    dataset = shards.dataset(first_step, cut.shards)
    _check_lasts(dataset, epochs.num_steps - first_step)
    if epochs.is_within(first_step):
        _build_metrics(model, dataset)
    held_out, held_out_steps = validation_data, None
    if validation_data is not None:
        held_out, held_out_steps = (
            fed(validation_data, own_cut()),
            int(validation_data.cardinality()),
        )
    for alike, part in _parts(dataset, epochs.alike(first_step)):
        callbacks.set_params({"verbose": verbose, "epochs": epochs.number, "steps": alike.length})
        with _too_short_is_an_error():
            model.fit(
                fed(part, cut, endless=True),
                initial_epoch=alike.first_epoch,
                epochs=alike.last_epoch + 1,
                steps_per_epoch=alike.length,
                validation_data=held_out,
                validation_steps=held_out_steps,
                callbacks=callbacks,
                shuffle=False,
                verbose=verbose,
            )
        if model.stop_training:
            break
    callbacks.end()


@contextlib.contextmanager
def _too_short_is_an_error() -> Iterator[None]:
    """A context in which replicas whose data ends, though it must not, say what to do."""
    try:
        yield
    except tf.errors.FailedPreconditionError as error:
        if "infinite number of elements" not in str(error):
            raise
        raise ValueError(
            "The data must have a batch for each step to come, but it ended. Let the dataset "
            "repeat, or lower num_steps."
        ) from error


def _check_scope(model: keras.Model) -> None:
    values = [variable.value for variable in model.trainable_variables[:1]]
    if num_replicas() > 1 and not isinstance(values[0], tf.distribute.DistributedValues):
        raise ValueError(
            f"What is trained on {num_replicas()} devices must be built in the scope of their "
            f"strategy, but {model.name} was built outside: build and compile it in "
            "`with strategy.scope()`."
        )


def _parts(
    dataset: tf.data.Dataset, all_epochs: Sequence[Alike]
) -> Iterator[tuple[Alike, tf.data.Dataset]]:
    """For epochs of each length, these and their batches.

    The batches of all come from one iterator: begun again, a dataset may shuffle otherwise. No
    part is longer than its epochs, so that none takes, ahead of time, what is the next one's.
    """
    if len(all_epochs) == 1:
        yield all_epochs[0], dataset
        return
    iterator = iter(dataset)

    # Nothing here needs AutoGraph, which warns of several functions in one line.
    @tf.autograph.experimental.do_not_convert
    def batch(_: tf.Tensor) -> tf.experimental.Optional:
        return iterator.get_next_as_optional()

    there, value = (
        tf.autograph.experimental.do_not_convert(function)
        for function in (lambda one: one.has_value(), lambda one: one.get_value())
    )
    for alike in all_epochs:
        batches = tf.data.Dataset.range(alike.num_steps).map(batch)
        yield alike, batches.take_while(there).map(value)


def _tell_it_is_done(output_dir: pathlib.Path, step: int, num_steps: int) -> None:
    if step >= num_steps:
        logging.info("The run in %s is done, with %d steps.", output_dir, step)
        return
    logging.warning(
        "The run in %s was ended by a callback after step %d of %d, and stays so. To train on, "
        "start from its weights in another folder.",
        output_dir,
        step,
        num_steps,
    )


def _check_lasts(dataset: tf.data.Dataset, num_steps: int) -> None:
    """Raise before the first step if the dataset knows that it has too few batches."""
    known = int(dataset.cardinality())
    if 0 <= known < num_steps:
        raise ValueError(
            f"The data must have a batch for each of the {num_steps} steps to come; it has "
            f"{known}. Let the dataset repeat, or lower num_steps."
        )


def _of_known_length(dataset: tf.data.Dataset | None) -> tf.data.Dataset | None:
    """The dataset with its length, at whose end Keras else warns that it ran out of data."""
    if dataset is None:
        return None
    length = int(dataset.cardinality())
    if length == tf.data.UNKNOWN_CARDINALITY:
        length = int(dataset.reduce(tf.constant(0, tf.int64), lambda count, *_: count + 1))
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(length))
    if length < 1:
        raise ValueError(
            "validation_data must be finite and have a batch, but it "
            f"{'has none' if length == 0 else 'never ends'}. Give one pass over the held-out "
            "examples, or None."
        )
    return dataset


def _build_metrics(model: keras.Model, dataset: tf.data.Dataset) -> None:
    """Create the variables of compiled metrics, which Keras does in the first step."""
    strategy = tf.distribute.get_strategy()
    step = tf.function(lambda batch: strategy.run(model.test_step, args=(batch,)))
    step.get_concrete_function(dataset.element_spec)
