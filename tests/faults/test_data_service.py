"""A run whose batches are made elsewhere is the run that makes them itself."""

import contextlib
import signal
import time

import pytest

from keras_bert.launching import free_addresses

pytestmark = pytest.mark.faults
PROGRAM = ("-m", "train.data_worker")
FLAGS = ("--num_shards=2",)
# From a data worker's death to the run's end.
END_S = 60


@contextlib.contextmanager
def data_workers(start, folder, number=2):
    """So many of them, and their addresses."""
    addresses = free_addresses(number)
    with contextlib.ExitStack() as stack:
        yield (
            [
                stack.enter_context(start(1, folder, *PROGRAM, f"--address={one}"))[0]
                for one in addresses
            ],
            f"--data_service={','.join(addresses)}",
        )


@pytest.fixture(scope="module")
def reference(pretraining, tmp_path_factory):
    """What a run learns that makes its own batches, never stopped; with dropout."""
    return pretraining.run(1, tmp_path_factory.mktemp("reference"), *FLAGS)


def test_a_run_by_data_workers_is_stopped_and_goes_on(
    start_workers, pretraining, tmp_path, reference, assert_weights
):
    with data_workers(start_workers, tmp_path) as (workers, service):
        with pretraining.started(1, tmp_path, *FLAGS, service) as [worker]:
            pretraining.until((tmp_path / "run/checkpoints/step-00000006").exists)
            worker.send(signal.SIGTERM)
            assert worker.wait() == 1 and "all state is in" in worker.said
        pretraining.run(1, tmp_path, *FLAGS, service)
        for worker in workers:  # which have been read from
            worker.send(signal.SIGTERM)
            assert worker.wait() == 0 and "Ended by SIGTERM" in worker.said
    assert_weights(tmp_path / "run", reference)


def test_where_a_data_worker_is_gone_the_run_ends_and_goes_on_by_itself(
    start_workers, pretraining, tmp_path, assert_weights
):
    # More steps than batches are ahead.
    flags = (*FLAGS, "--num_steps=240", "--steps_per_epoch=40")
    with (
        data_workers(start_workers, tmp_path) as (workers, service),
        pretraining.started(1, tmp_path, *flags, service) as [worker],
    ):
        pretraining.until((tmp_path / "run/checkpoints/step-00000040").exists)
        workers[1].send(signal.SIGKILL)
        began = time.monotonic()
        assert worker.wait() == 1
        assert time.monotonic() - began < END_S
    assert "a data worker must last as long as the run, but localhost:" in worker.said
    pretraining.run(1, tmp_path, *flags)
    (tmp_path / "never").mkdir()
    never = pretraining.run(1, tmp_path / "never", *flags)
    assert_weights(tmp_path / "run", never)


def test_two_trainers_are_fed_by_two_data_workers(
    start_workers, pretraining, tmp_path, reference, assert_weights
):
    with data_workers(start_workers, tmp_path) as (_, service):
        folder = pretraining.run(2, tmp_path, *FLAGS, service, "--dropout=0")
    (tmp_path / "alone").mkdir()
    alone = pretraining.run(1, tmp_path / "alone", *FLAGS, "--dropout=0")
    assert_weights(folder, alone, atol=1e-5)
