"""Batches: what is joined, what waits, what is refused, whose fault a failure is."""

import asyncio
import contextlib
import dataclasses
import gc
import threading
import weakref

import numpy as np
import pytest

from keras_bert.serving.server import batching
from keras_bert.serving.server.batching import Batcher, Settings
from keras_bert.serving.wire import errors

ONE_THREAD = Settings(max_batch_size=5, max_enqueued_batches=2, num_batch_threads=1)


class Gate:
    """Doubles `x`; a test opens the gate, and sees the batches that went in."""

    def __init__(self, is_open=False):
        self.batches = []
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()
        if is_open:
            self.opened.set()

    def __call__(self, inputs):
        self.batches.append(inputs["x"].tolist())
        self.entered.release()
        self.opened.wait()
        if (inputs["x"] < 0).any():
            raise ValueError("negative")
        return {"y": inputs["x"] * 2}


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def ask(batcher, gate, values, key="key", model="model"):
    array = np.array(values)
    return asyncio.ensure_future(batcher.run(model, key, gate, {"x": array}, len(array)))


async def entered(gate):
    await asyncio.get_running_loop().run_in_executor(None, gate.entered.acquire)


def test_those_that_wait_are_joined_and_get_their_own_rows():
    async def scenario():
        seen, gate = [], Gate()
        batcher = Batcher(ONE_THREAD, seen.append)
        first = ask(batcher, gate, [0])
        await entered(gate)
        others = [ask(batcher, gate, values) for values in ([1, 2], [3], [4, 5], [6, 7, 8])]
        await asyncio.sleep(0)
        assert batcher.num_waiting == 2
        gate.opened.set()
        answers = [(await answer)["y"].tolist() for answer in (first, *others)]
        await batcher.close()
        assert answers == [[0], [2, 4], [6], [8, 10], [12, 14, 16]]
        assert gate.batches == [[0], [1, 2, 3, 4, 5], [6, 7, 8]]
        assert seen == [1, 5, 3]

    run(scenario())


def test_other_keys_and_other_shapes_are_not_joined():
    async def scenario():
        gate = Gate()
        batcher = Batcher(dataclasses.replace(ONE_THREAD, max_enqueued_batches=3))
        first = ask(batcher, gate, [0])
        await entered(gate)
        others = [
            ask(batcher, gate, [1]),
            ask(batcher, gate, [2], key="other"),
            ask(batcher, gate, [[3, 4]]),
            ask(batcher, gate, [5]),
        ]
        await asyncio.sleep(0)
        gate.opened.set()
        await asyncio.gather(first, *others)
        assert gate.batches == [[0], [1, 5], [2], [[3, 4]]]

    run(scenario())


def test_what_comes_to_a_full_queue_is_refused_and_the_rest_is_answered():
    async def scenario():
        gate = Gate()
        batcher = Batcher(ONE_THREAD)
        running = ask(batcher, gate, [0])
        await entered(gate)
        waiting = [ask(batcher, gate, [1] * 5), ask(batcher, gate, [2] * 4)]
        with pytest.raises(errors.OverloadedError, match="RESOURCE_EXHAUSTED: At most 2 batches"):
            await ask(batcher, gate, [3, 3])
        fits = ask(batcher, gate, [4])
        await asyncio.sleep(0)
        gate.opened.set()
        await asyncio.gather(running, *waiting, fits)
        assert gate.batches == [[0], [1] * 5, [2] * 4 + [4]]

    run(scenario())


def test_who_leaves_makes_room_and_is_not_run():
    async def scenario():
        gate = Gate()
        batcher = Batcher(ONE_THREAD)
        running = ask(batcher, gate, [0])
        await entered(gate)
        leaving, joined, staying = (ask(batcher, gate, v) for v in ([1] * 3, [2] * 2, [3] * 4))
        await asyncio.sleep(0)
        leaving.cancel()
        staying.cancel()
        await asyncio.wait((leaving, staying))
        assert batcher.num_waiting == 1
        running.cancel()  # too late: it runs
        gate.opened.set()
        assert (await joined)["y"].tolist() == [4, 4]
        assert gate.batches == [[0], [2, 2]]
        await batcher.close()

    run(scenario())


def test_a_request_fails_by_its_own_fault_only():
    async def scenario():
        gate = Gate()
        batcher = Batcher(ONE_THREAD)
        first = ask(batcher, gate, [0])
        await entered(gate)
        good, bad, other = (ask(batcher, gate, values) for values in ([1], [-1], [2, 3]))
        await asyncio.sleep(0)
        gate.opened.set()
        await first
        assert (await good)["y"].tolist() == [2]
        with pytest.raises(ValueError, match="negative"):
            await bad
        assert (await other)["y"].tolist() == [4, 6]

    run(scenario())


def test_a_batch_waits_for_its_timeout_or_until_it_is_full():
    async def scenario():
        gate = Gate(is_open=True)
        batcher = Batcher(dataclasses.replace(ONE_THREAD, batch_timeout_micros=1000))
        one = await ask(batcher, gate, [1])
        settings = dataclasses.replace(ONE_THREAD, batch_timeout_micros=3_600_000_000)
        batcher = Batcher(settings)
        waiting = ask(batcher, gate, [1, 2])
        await asyncio.sleep(0)
        assert gate.batches == [[1]] and batcher.num_waiting == 1
        await asyncio.gather(waiting, ask(batcher, gate, [3, 4, 5]))
        assert one["y"].tolist() == [2]
        assert gate.batches == [[1], [1, 2, 3, 4, 5]]

    run(scenario())


def test_a_large_request_is_run_in_parts_and_others_have_their_turn(monkeypatch):
    monkeypatch.setattr(batching, "MAX_BYTES", 24)  # three numbers

    async def scenario():
        gate = Gate()
        batcher = Batcher(ONE_THREAD)
        large = ask(batcher, gate, [1, 2, 3, 4, 5])
        await entered(gate)
        small = ask(batcher, gate, [6, 7])
        gate.opened.set()
        assert (await large)["y"].tolist() == [2, 4, 6, 8, 10]
        assert (await small)["y"].tolist() == [12, 14]
        assert gate.batches == [[1, 2, 3], [6, 7], [4, 5]]
        wide = [np.array([[b"a", b"b"]], object), np.array([[b"c"]], object)]
        sizes = iter(wide)
        inputs = {"x": np.array([b"x" * 20, b"y" * 20], object)}
        answer = await batcher.run("", "", lambda _: {"y": next(sizes)}, inputs, 2)
        assert answer["y"].tolist() == [[b"a", b"b"], [b"c", b""]]

    run(scenario())


def test_nothing_more_is_run_for_who_has_left(monkeypatch):
    monkeypatch.setattr(batching, "MAX_BYTES", 8)

    async def scenario():
        gate = Gate()
        batcher = Batcher(ONE_THREAD)
        large = ask(batcher, gate, [1, 2, 3])
        await entered(gate)
        large.cancel()
        gate.opened.set()
        await batcher.close()
        assert gate.batches == [[1]] and batcher.num_waiting == 0

    run(scenario())


def test_a_failed_batch_is_run_again_for_those_who_still_wait():
    async def scenario():
        gate, loop, asked = Gate(), asyncio.get_running_loop(), []

        def failing(inputs):
            if len(inputs["x"]) > 1:
                loop.call_soon_threadsafe(asked[0].cancel)
            return gate(inputs)

        batcher = Batcher(ONE_THREAD)
        first = ask(batcher, failing, [0])
        await entered(gate)
        asked += [ask(batcher, failing, [1]), ask(batcher, failing, [-1])]
        await asyncio.sleep(0)
        gate.opened.set()
        await first
        with pytest.raises(ValueError, match="negative"):
            await asked[1]
        assert gate.batches == [[0], [1, -1], [-1]]

    run(scenario())


def test_a_models_flood_does_not_stop_another_model():
    async def scenario():
        gate = Gate()
        batcher = Batcher(ONE_THREAD)
        flood = [ask(batcher, gate, [1] * 5) for _ in range(3)]
        await entered(gate)
        other = await ask(batcher, Gate(is_open=True), [2], model="other")
        assert other["y"].tolist() == [4] and batcher.num_waiting == 2
        gate.opened.set()
        await asyncio.gather(*flood)
        assert batcher.num_waiting == 0 and not batcher._queues

    run(scenario())


class Array(np.ndarray):
    """An array that can be referred to weakly."""


def test_a_request_that_fails_frees_its_arrays_at_once():
    async def scenario():
        batcher = Batcher(ONE_THREAD)
        array = np.array([-1]).view(Array)
        freed = weakref.ref(array)
        asked = batcher.run("", "", Gate(is_open=True), {"x": array}, 1)
        del array
        with contextlib.suppress(ValueError):
            await asked
        del asked
        await batcher.close()
        return freed

    gc.disable()
    try:
        assert run(scenario())() is None
    finally:
        gc.enable()


def test_more_rows_than_a_batch_has_are_refused():
    async def scenario():
        with pytest.raises(errors.InvalidRequestError, match="at most 5 rows.*but has 6"):
            await ask(Batcher(ONE_THREAD), Gate(), range(6))

    run(scenario())


@pytest.mark.parametrize("output", [np.array(1), np.array([1, 2, 3])])
def test_outputs_without_a_row_for_each_example_are_refused(output):
    async def scenario():
        with pytest.raises(errors.InvalidRequestError, match="FAILED_PRECONDITION: Output 'y'"):
            await Batcher(ONE_THREAD).run("", "", lambda _: {"y": output}, {"x": np.ones(2)}, 2)

    run(scenario())


def test_strings_are_joined():
    async def scenario():
        inputs = {"x": np.array([b"a\x00"], object)}
        answer = await Batcher(ONE_THREAD).run("", "", lambda inputs: inputs, inputs, 1)
        assert answer["x"].tolist() == [b"a\x00"]

    run(scenario())


def test_read_settings(tmp_path):
    path = tmp_path / "batching.config"
    assert batching.read_settings(path) == Settings()
    path.write_text(
        "max_batch_size { value: 16 }  # rows\nbatch_timeout_micros { value: 500 }\n"
        'thread_pool_name { value: "bert" }\n'
        "allowed_batch_sizes: 4\nallowed_batch_sizes: 16\n"
    )
    assert batching.read_settings(path) == dataclasses.replace(
        Settings(), max_batch_size=16, batch_timeout_micros=500
    )


@pytest.mark.parametrize(
    "text, message",
    [
        ("max_batch_size: 16", "BatchingParameters in text form"),
        ("max_batchsize { value: 16 }", "BatchingParameters in text form"),
        ("max_batch_size { value: 0 }", "counts of at least 1"),
        ("allowed_batch_sizes: 8 max_batch_size { value: 9 }", "must rise and end with"),
        ("allowed_batch_sizes: 9 allowed_batch_sizes: 8 max_batch_size { value: 8 }", "must rise"),
        ("pad_variable_length_inputs: true", "must not have pad_variable_length_inputs"),
    ],
)
def test_other_settings_are_refused(tmp_path, text, message):
    path = tmp_path / "batching.config"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        batching.read_settings(path)
