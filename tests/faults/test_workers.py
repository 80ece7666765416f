"""Two workers give the numbers of one; killed or stopped, the other ends, and all go on."""

import functools
import re
import signal
import time

import pytest

pytestmark = pytest.mark.faults
# Where a worker is gone, the others end within this.
END_S = 60


@pytest.fixture(scope="module")
def trained(pretraining, tmp_path_factory):
    """Trains with some workers to the end, once for each set of flags; the folder of the run."""

    @functools.cache
    def train(number, *flags):
        return pretraining.run(number, tmp_path_factory.mktemp("run"), *flags)

    return train


@pytest.mark.parametrize("num_shards", [1, 4])
def test_two_workers_train_as_one(trained, num_shards, assert_weights, record_of):
    flags = ("--dropout=0", f"--num_shards={num_shards}")
    one, two = trained(1, *flags), trained(2, *flags)
    assert_weights(two, one, atol=1e-5)
    assert len(record_of(two)) == len(record_of(one)) == 4
    for of in ("metrics", "steps"):
        assert record_of(two, of) == [pytest.approx(o, rel=1e-4) for o in record_of(one, of)]


def test_a_run_of_two_workers_goes_on_with_one(trained, pretraining, tmp_path, assert_weights):
    flags = ("--dropout=0", "--num_shards=4")
    interrupted(pretraining, tmp_path, signal.SIGTERM, 0, *flags)
    pretraining.run(1, tmp_path, *flags)
    assert_weights(tmp_path / "run", trained(1, *flags), atol=1e-5)


def interrupted(pretraining, folder, signal_, victim, *flags):
    """Two workers, one of which gets a signal within the second epoch; what both said."""
    with pretraining.started(2, folder, *flags) as workers:
        pretraining.until((folder / "run" / "checkpoints" / "step-00000006").exists)
        workers[victim].send(signal_)
        began = time.monotonic()
        if signal_ == signal.SIGTERM:
            assert [worker.wait() for worker in workers] == [1, 1], workers[0].said
        else:
            assert workers[1 - victim].wait() == 1, workers[1 - victim].said
            assert time.monotonic() - began < END_S
        return [worker.said for worker in workers]


@pytest.mark.parametrize("victim", [0, 1])
def test_a_signal_to_one_worker_stops_both_after_the_same_step(
    trained, pretraining, tmp_path, victim, assert_same
):
    said = interrupted(pretraining, tmp_path, signal.SIGTERM, victim)
    steps = [re.search(r"Stopped by SIGTERM after step (\d+)", one)[1] for one in said]
    assert steps[0] == steps[1]
    pretraining.run(2, tmp_path)
    assert_same(tmp_path / "run", trained(2))


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGSTOP])
def test_where_one_worker_is_gone_the_other_ends_and_both_go_on(
    trained, pretraining, tmp_path, signal_, assert_same
):
    said = interrupted(pretraining, tmp_path, signal_, 1)[0]
    assert "Another worker has ended, or cannot be reached" in said
    pretraining.run(2, tmp_path)
    assert_same(tmp_path / "run", trained(2))


@pytest.mark.parametrize("after_s", [0, 4])
def test_a_signal_around_the_first_step_ends_both(pretraining, tmp_path, after_s):
    with pretraining.started(2, tmp_path) as workers:
        pretraining.until(lambda: "Training on 2 devices" in workers[1].said)
        time.sleep(after_s)
        workers[1].send(signal.SIGTERM)
        began = time.monotonic()
        codes = [worker.wait() for worker in workers]
        assert time.monotonic() - began < END_S
    # After some seconds a fast machine is in its first step, which is then the last.
    is_saved = after_s > 0 and (tmp_path / "run" / "checkpoints" / "step-00000001").exists()
    assert codes == ([1, 1] if is_saved else [1, -signal.SIGTERM])
    assert is_saved or not list(tmp_path.glob("run/checkpoints/step-*"))


def test_a_worker_that_never_starts_is_named(pretraining, tmp_path):
    with pretraining.started(2, tmp_path, "--start_timeout=15") as workers:
        workers[1].process.kill()
        assert workers[0].wait() == 1
    assert re.search(r"worker 1 at localhost:\d+ did not", workers[0].said)


def test_a_second_run_on_the_directory_is_refused(pretraining, tmp_path):
    with pretraining.started(2, tmp_path):
        pretraining.until((tmp_path / "run" / "pretrain.flags").exists)
        with pretraining.started(2, tmp_path) as refused:
            assert [worker.wait() for worker in refused] == [1, 1]
            assert "Another process is training in" in refused[0].said
            assert "Worker 0 has failed" in refused[1].said
