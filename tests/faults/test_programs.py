"""The programs of training, stopped and killed: run again, they end as if they had not been."""

import functools
import random
import signal

import pytest

import keras_bert as kb

pytestmark = pytest.mark.faults
# Longer than anything here takes, under whatever load.
TIMEOUT_S = 240
SIGTERM, SIGKILL = signal.SIGTERM, signal.SIGKILL
MIRRORED = ("--strategy=mirrored", "--logical_devices=2")


def is_saved(folder, step):
    """Whether a run has a checkpoint of a step, or of a later one."""
    names = (path.name for path in folder.glob("checkpoints/step-*"))
    return max(names, default="") >= f"step-{step:08d}"


@pytest.fixture(scope="module")
def program(start_workers, pretraining):
    """A function that runs a program to its end, or to a signal; its exit status and output."""

    def run(name, folder, *given, until=None, number=SIGTERM):
        with start_workers(1, folder, "-m", f"train.{name}", *given) as [worker]:
            if until is not None:
                pretraining.until(until)
                worker.send(number)
            return worker.wait(), worker.said

    return run


@pytest.fixture(scope="module")
def pretrain(program, pretraining):
    """A pretraining in `folder/run`, to its end or to a signal when a checkpoint is there."""

    def run(folder, *given, step=None, number=SIGTERM):
        until = None if step is None else functools.partial(is_saved, folder / "run", step)
        _, _, *given = pretraining.command(folder, *given)
        return program("pretrain", folder, *given, until=until, number=number)

    return run


@pytest.fixture(scope="module")
def straight(pretrain, tmp_path_factory):
    """A pretraining with some flags that nothing stopped, once for each; the folder of the run."""

    @functools.cache
    def run(*given):
        folder = tmp_path_factory.mktemp("straight")
        status, said = pretrain(folder, *given)
        assert status == 0, said
        return folder / "run"

    return run


@pytest.mark.parametrize("devices", [(), MIRRORED], ids=["one device", "mirrored"])
def test_a_pretraining_goes_on(pretrain, straight, tmp_path, devices, assert_same, record_of):
    number = SIGTERM if devices else SIGKILL
    status, said = pretrain(tmp_path, *devices, step=6, number=number)
    if number == SIGTERM:
        assert status == 1 and "Stopped by SIGTERM after step" in said
    else:
        assert status == -SIGKILL
    assert len(record_of(tmp_path / "run")) < 4
    status, said = pretrain(tmp_path, *devices)
    assert status == 0 and "24 steps are done" in said
    assert_same(tmp_path / "run", straight(*devices))


def test_a_pretraining_goes_on_on_one_device_and_back_on_two(
    pretrain, straight, tmp_path, assert_weights, record_of
):
    given = ("--dropout=0", "--num_shards=2")
    assert pretrain(tmp_path, *given, *MIRRORED, step=6)[0] == 1
    assert pretrain(tmp_path, *given, step=12)[0] == 1
    assert pretrain(tmp_path, *given, *MIRRORED)[0] == 0
    assert_weights(tmp_path / "run", straight(*given), atol=1e-5)
    assert len(record_of(tmp_path / "run")) == 4


def test_a_pretraining_that_ends_before_its_first_step_leaves_nothing_in_the_way(
    pretrain, program, pretraining, straight, tmp_path, assert_same
):
    _, _, *given = pretraining.command(tmp_path)

    def reads():
        said = (path.read_text(errors="replace") for path in tmp_path.glob("output-*"))
        return any("Training on" in one for one in said)

    status, _ = program("pretrain", tmp_path, *given, until=reads)
    assert status == -SIGTERM
    status, _ = program(
        "pretrain", tmp_path, *given, until=(tmp_path / "run/pretrain.flags").exists
    )
    assert status in (1, -SIGTERM)
    assert pretrain(tmp_path)[0] == 0
    assert_same(tmp_path / "run", straight())


def test_a_pretraining_whose_shard_is_damaged_later_ends_with_its_name(
    program, pretraining, corpus, tmp_path
):
    tokenizer = kb.Tokenizer(kb.read_vocabulary(corpus / "vocab.txt"))
    texts = kb.TextCorpus(f"{corpus}/[a-d].txt", "blank_lines")
    kb.write_token_corpus(texts, tokenizer, tmp_path / "tokens", num_shards=1)
    shard = tmp_path / "tokens" / "shard-00000.tfrecord"
    endless = ("--num_steps=100000", "--steps_per_epoch=100000", "--save_every=6")
    _, _, *given = pretraining.command(tmp_path, f"--input_pattern={tmp_path}/tokens", *endless)

    def damaged():
        if not is_saved(tmp_path / "run", 6):
            return False
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 4
        shard.write_bytes(content)
        return True

    status, said = program("pretrain", tmp_path, *given, until=damaged, number=0)
    assert status == 1
    assert "shard-00000.tfrecord must have the manifest's SHA-256" in said.splitlines()[-1]
    assert "Copy the directory again" in said.splitlines()[-1]


@pytest.fixture(scope="module")
def finetune(program, corpus, tmp_path_factory):
    """A fine-tuning in `folder/run`, to its end or to a signal when an epoch is on record."""
    data, draw = tmp_path_factory.mktemp("rows"), random.Random(3)
    words = kb.read_vocabulary(corpus / "vocab.txt")[5:]
    rows = (f"{' '.join(draw.choices(words, k=6))}\t{draw.randrange(2)}\n" for _ in range(120))
    (data / "rows.tsv").write_text("sentence\tlabel\n" + "".join(rows))

    def run(folder, epoch=None, number=SIGTERM):
        given = (
            *("--task=text_classification", "--preset=tiny", f"--vocabulary={corpus}/vocab.txt"),
            *(f"--train_files={data}/rows.tsv", "--eval_share=0.2", "--num_epochs=4"),
            *("--batch_size=8", "--learning_rate=1e-3", "--sequence_length=16"),
            f"--output_dir={folder}/run",
        )
        record = folder / "run" / "metrics.jsonl"

        def is_on_record():
            return record.exists() and record.read_bytes().count(b"\n") >= epoch

        until = None if epoch is None else is_on_record
        return program("finetune", folder, *given, until=until, number=number)

    return run


def test_a_fine_tuning_goes_on(finetune, tmp_path, assert_same):
    (tmp_path / "straight").mkdir()
    assert finetune(tmp_path / "straight")[0] == 0
    status, said = finetune(tmp_path, epoch=1)
    assert status == 1 and "Stopped by SIGTERM after step" in said
    assert finetune(tmp_path, epoch=2, number=SIGKILL)[0] == -SIGKILL
    assert not (tmp_path / "run" / "metrics.json").exists()
    status, said = finetune(tmp_path)
    assert status == 0, said
    assert_same(tmp_path / "run", tmp_path / "straight" / "run")
    for name in ("predictions.jsonl", "metrics.json"):
        same = (folder / "run" / name for folder in (tmp_path, tmp_path / "straight"))
        assert len({path.read_text() for path in same}) == 1
