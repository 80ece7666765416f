"""The table of crossings: each task with each way to train, stop, resume, save, combine and export.

A new task is a row of `TASKS`, a new kind of checkpoint to start from one of `STARTS`; a new way is
a test here, which every task then goes through, from every start.

Most of it runs operation by operation. In graphs every task trains in half precision, is combined
and is exported here, and learns by heart in tests/tasks; what they answer is compared with what
operations answer.
"""

import contextlib
import itertools
import json
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf
from matplotlib.figure import Figure

import keras_bert as kb
from keras_bert.checkpoints import weights
from keras_bert.exporting import warmup
from keras_bert.lite import Lite
from keras_bert.tasks import ensembles, table
from keras_bert.training.callbacks import SaveCheckpoints
from train import predict, together
from train.examples import files_of, options_of

NOUNS = ("cat", "dog", "fox", "film", "the", "lazy", "quick", "brown", "jump", "over", "fine")


def of_texts(i: int) -> dict[str, Any]:
    return {"review": f"the {NOUNS[i]} is {'fine' if i % 2 else 'lazy'}", "mood": f"mood {i % 2}"}


def of_words(i: int) -> dict[str, Any]:
    # The second is longer than a row, so that batches are not those of examples.
    words = [NOUNS[i], "sees", NOUNS[-i], "."] * (9 if i == 1 else 1)
    return {
        "tokens": words,
        "ner_tags": ["B-A", "O", "I-B" if i % 3 else "B-B", "O"] * (len(words) // 4),
    }


def of_questions(i: int) -> dict[str, Any]:
    context = f"a {NOUNS[i]} and the {NOUNS[-i]}"
    answers = (
        {"text": [NOUNS[i]], "answer_start": [2]} if i % 3 else {"text": [], "answer_start": []}
    )
    return {"id": str(i), "question": "what", "context": context, "answers": answers}


def of_choices(i: int) -> dict[str, Any]:
    return {"context": f"a {NOUNS[i]}", "question": "so", "choices": [NOUNS[i], "no"], "label": 0}


def of_pairs(i: int) -> dict[str, Any]:
    # No two pairs have the same words: their cosines would be ranked by rounding.
    return {
        "left": f"a {NOUNS[i]}",
        "right": f"a {NOUNS[3 * i % len(NOUNS)]}",
        "score": i % 4,
    }


def of_blanks(i: int) -> dict[str, Any]:
    return {"text": f"a [MASK] {NOUNS[i]}", "answers": [NOUNS[-i]]}


class Row(NamedTuple):
    """What is special about a task: its examples, the flags that read them, and one to ask."""

    example: Callable[[int], dict[str, Any]]
    flags: tuple[str, ...]
    asked: tuple[str, ...]


TASKS = {
    "text_classification": Row(
        of_texts,
        ("--text_keys=review", "--label_key=mood"),
        ("--text=the fine fox",),
    ),
    "token_classification": Row(
        of_words,
        ("--text_keys=tokens", "--label_key=ner_tags", "--repair"),
        ("--text=the fox sees",),
    ),
    "question_answering": Row(
        of_questions,
        (),
        ("--text=what", "--second=the fine fox"),
    ),
    "multiple_choice": Row(
        of_choices, (), ("--text=a fox", "--second=so", "--choice=fox", "--choice=no")
    ),
    "sentence_embedding": Row(
        of_pairs,
        ("--text_keys=left,right", "--label_key=score"),
        ("--text=a fox",),
    ),
    "fill_mask": Row(of_blanks, (), ("--text=a [MASK] fox",)),
}


class Files(NamedTuple):
    folder: pathlib.Path
    flags: tuple[str, ...]


def pretrained(encoder_of, tokenizer):
    return kb.BertPretrainer(encoder_of("Bert", num_layers=1)), tokenizer


def pruned(encoder_of, tokenizer):
    """One with rotary positions, whose blocks have as many heads and columns as each likes."""
    whole = kb.BertPretrainer(encoder_of("Bert", num_layers=2, positions="rotary", norm_first=True))
    return kb.prune(whole, heads={0: [1]}, columns={0: range(9), 1: [3]}), tokenizer


def modern(encoder_of, tokenizer):
    """What the fast recipe makes, a ModernBERT on word pieces, pruned too."""
    whole = kb.BertPretrainer(encoder_of("ModernBert", num_layers=2), sentence_objective=None)
    return kb.prune(whole, heads={1: [2]}, columns={0: range(9), 1: [3]}), tokenizer


def extended(encoder_of, tokenizer):
    """One with pieces of a domain."""
    larger, parts = kb.extend_vocabulary(tokenizer, ("cat", "lazyfox", "jumps", "mood", "sees"))
    model, first = pretrained(encoder_of, tokenizer)[0], tokenizer.vocabulary_size
    parts = dict(enumerate(parts, start=first))
    return kb.resize(model, vocabulary_size=larger.vocabulary_size, parts=parts), larger


def detector(encoder_of, tokenizer):
    """ELECTRA, which has found replaced tokens; its generator lies in a folder beside it."""
    encoder = encoder_of("Electra", num_layers=1)
    return kb.ReplacedTokenPretrainer(kb.ReplacedTokenDetector(encoder)), tokenizer


def static(encoder_of, tokenizer):
    """A table of vectors."""
    encoder = pretrained(encoder_of, tokenizer)[0].encoder
    teacher = kb.SentenceEmbedder(encoder, kb.Packer(tokenizer, 23))
    return kb.static_embedder(teacher, 12, progress=False), tokenizer


STARTS = {make.__name__: make for make in (pretrained, pruned, modern, extended, detector, static)}
# What no start of the kind can do.
REFUSED = {("detector", "fill_mask"), ("static", "fill_mask")}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, crossing, tokenizer, encoder_of):
    """A checkpoint of the kind that a crossing starts from, and another one in half precision."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in ("whole", "half"):
        model, own = STARTS[crossing[0]](encoder_of, tokenizer)
        kb.save(model, folder / name, own)
    path = folder / "half" / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    halved = {name: value.astype(ml_dtypes.bfloat16) for name, value in tensors.items()}
    safetensors.numpy.save_file(halved, path, metadata={"format": "pt"})
    (folder / "half" / "checksums.json").unlink()
    return folder


# The default run has a task of one row, one of several, and one that compares rows.
DEFAULT = ("text_classification", "question_answering", "sentence_embedding")
IN_TIERS = [
    pytest.param(
        (start, name),
        id=name if start == "pretrained" else f"{start}-{name}",
        marks=() if start == "pretrained" and name in DEFAULT else pytest.mark.slow,
    )
    for start in STARTS
    for name in TASKS
    if (start, name) not in REFUSED
]


@pytest.fixture(scope="module", params=IN_TIERS)
def crossing(request) -> tuple[str, str]:
    return request.param


@pytest.fixture(scope="module")
def task(crossing) -> str:
    return crossing[1]


@pytest.fixture(scope="module")
def files(tmp_path_factory, checkpoint, task) -> Files:
    """A task's files, and the flags of a run on them but for its output."""
    folder = tmp_path_factory.mktemp(task)
    for name, numbers in (("train", range(1, 6)), ("eval", range(5, 9))):
        lines = (json.dumps(TASKS[task].example(i)) for i in numbers)
        (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return Files(
        folder,
        (
            *(f"--task={task}", f"--train_files={folder}/train.jsonl", *TASKS[task].flags),
            *("--sequence_length=23", "--batch_size=3", "--learning_rate=1e-3", "--num_epochs=2"),
        ),
    )


@pytest.fixture
def without_pictures(monkeypatch):
    """Empty files in place of pictures, which `with_two_seeds` draws of every task."""
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: pathlib.Path(path).touch())


@pytest.fixture(scope="module")
def with_two_seeds(files, checkpoint, call, eagerly):
    """A run of two seeds, each of two epochs with a last batch that is not full."""
    with eagerly():
        call(
            "finetune",
            *files.flags,
            f"--checkpoint={checkpoint}/whole",
            f"--eval_files={files.folder}/eval.jsonl",
            *("--num_seeds=2", f"--output_dir={files.folder}/seeds"),
        )
    return files.folder / "seeds"


def record_of(folder: pathlib.Path, of: str = "metrics") -> list[dict[str, float]]:
    """The figures of a run's epochs, or steps, but for those of time."""
    lines = [json.loads(line) for line in (folder / f"{of}.jsonl").open()]
    return [{name: value for name, value in line.items() if "second" not in name} for line in lines]


def weights_of(folder: pathlib.Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def asked(directory: pathlib.Path, task: str, parsed) -> tuple[kb.Task, list[dict[str, Any]]]:
    """The task in a directory, and the example that `predict` is asked."""
    arguments = parsed("predict", f"--checkpoint={directory}", *TASKS[task].asked)
    loaded = kb.finetuning.load_task(directory)
    return loaded, predict.examples_of(arguments, loaded)


def numbers_of(answer: Any) -> list[float]:
    """All numbers in an answer, in its order."""
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list | tuple):
        return list(itertools.chain.from_iterable(map(numbers_of, answer)))
    return [float(answer)] if isinstance(answer, int | float) else []


def test_the_best_of_two_seeds_is_kept_and_scores_as_it_says(
    with_two_seeds, task, files, call, without_graphs
):
    figures = json.loads((with_two_seeds / "metrics.json").read_text())
    first = next(iter(figures["scores"]))
    assert figures["scores"][first] == max(run[first] for run in figures["runs"])
    assert (with_two_seeds / "predictions.jsonl").read_text().count("\n") == 4
    said = call(
        "evaluate",
        f"--checkpoint={with_two_seeds}",
        f"--eval_files={files.folder}/eval.jsonl",
        *TASKS[task].flags,
    )
    scored = json.loads(said)
    assert scored["examples"] == 4
    if task != "question_answering":  # where the threshold is chosen afterwards
        for name, value in figures["scores"].items():
            assert scored[name] == pytest.approx(value, abs=1e-6), name


def test_a_finished_run_is_told_and_answers(with_two_seeds, task, call, without_graphs):
    again = call("finetune", f"--flagfile={with_two_seeds}/finetune.flags")
    assert "is done" in again
    said = call("predict", f"--checkpoint={with_two_seeds}", *TASKS[task].asked)
    assert len(said.splitlines()) > 1


def test_an_ensemble_does_not_depend_on_what_was_asked_before(
    with_two_seeds, task, parsed, eagerly
):
    seeds = [asked(with_two_seeds / f"seed-{i}", task, parsed) for i in range(2)]
    used, examples = [member for member, _ in seeds], seeds[0][1]
    fresh = [member.copy() for member in used]
    alone = [numbers_of(member(examples)) for member in used]
    together = numbers_of(ensembles.ensemble(used)(examples))
    with eagerly():
        assert together == pytest.approx(numbers_of(ensembles.ensemble(fresh)(examples)), abs=1e-5)
    assert [numbers_of(member(examples)) for member in used] == alone
    if task in ("text_classification", "fill_mask", "sentence_embedding", "multiple_choice"):
        assert together != alone[0] and together != alone[1]


def test_the_exported_model_answers_as_the_checkpoint(
    with_two_seeds, task, files, call, parsed, eagerly, monkeypatch
):
    monkeypatch.setattr(warmup, "BATCH_SIZES", (2,))  # those of the usual sizes take longer
    call("export", f"--checkpoint={with_two_seeds}", f"--output_dir={files.folder}/served")
    served = tf.saved_model.load(str(files.folder / "served" / "1")).signatures["serving_default"]
    model, examples = asked(with_two_seeds, task, parsed)
    columns = model.input_columns(examples)
    outputs = served(
        **{
            name: column.to_tensor() if isinstance(column, tf.RaggedTensor) else column
            for name, column in columns.items()
        }
    )
    with eagerly():
        [(_, wanted)] = model.answer_batches(examples)
    compared = [name for name in wanted if np.issubdtype(wanted[name].dtype, np.floating)]
    assert compared
    for name in compared:
        np.testing.assert_allclose(outputs[name].numpy(), wanted[name], atol=1e-5)


def test_without_held_out_examples_in_half_precision_nothing_is_called_a_score(
    files, task, checkpoint, call, eagerly, monkeypatch
):
    monkeypatch.setattr(weights, "BLOCK_BYTES", 1 << 10)  # as a large table is read
    folder = files.folder / "alone"
    said = call(
        "finetune",
        *files.flags,
        f"--checkpoint={checkpoint}/half",
        *("--precision=mixed_bfloat16", "--num_epochs=1", f"--output_dir={folder}"),
    )
    assert "predictions.jsonl" not in said
    figures = json.loads((folder / "metrics.json").read_text())
    assert "scores" not in figures and figures["training"]["loss"] > 0
    assert "None: no examples were held out" in (folder / "README.md").read_text()
    with eagerly():
        assert len(call("predict", f"--checkpoint={folder}", *TASKS[task].asked).splitlines()) > 1


class Killed(BaseException):
    """What no handler takes for an error."""


def test_a_run_killed_within_an_epoch_ends_as_if_it_had_not_been(
    with_two_seeds, files, task, checkpoint, call, monkeypatch, without_graphs, without_pictures
):
    folder = files.folder / "killed"
    flags = (
        *files.flags,
        f"--checkpoint={checkpoint}/whole",
        *(f"--eval_files={files.folder}/eval.jsonl", f"--output_dir={folder}"),
    )

    def die(self, batch, logs=None):
        if self.checkpoint.step == self.params["steps"] + 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(SaveCheckpoints, "on_train_batch_end", die)
        with pytest.raises(Killed):
            call("finetune", *flags)
    assert len(record_of(folder)) == 1
    call("finetune", *flags)
    for of in ("metrics", "steps"):
        assert record_of(folder, of) == record_of(with_two_seeds / "seed-0", of)
    assert all(line["val_loss"] > 0 for line in record_of(folder))
    assert weights_of(folder) == weights_of(with_two_seeds / "seed-0")


def test_a_run_that_stopped_early_stays_stopped(
    files, task, checkpoint, call, without_graphs, without_pictures
):
    folder = files.folder / "stopped"
    flags = (
        *files.flags,
        f"--checkpoint={checkpoint}/whole",
        f"--eval_files={files.folder}/eval.jsonl",
        # With next to no rate no epoch is better than the first.
        *("--learning_rate=1e-30", "--num_epochs=5", "--patience=1", "--batch_size=5"),
        f"--output_dir={folder}",
    )
    call("finetune", *flags)
    assert len(record_of(folder)) == 2
    before = weights_of(folder)
    (folder / "metrics.json").unlink()  # as if it had been killed before its report
    call("finetune", *flags)
    assert len(record_of(folder)) == 2
    assert weights_of(folder) == before


def test_on_two_devices_a_task_learns_what_it_does_on_one(
    files, task, checkpoint, call, without_graphs, without_pictures
):
    flags = (*files.flags, f"--checkpoint={checkpoint}/whole", "--dropout=0", "--num_epochs=1")
    for strategy in ("none", "mirrored"):
        folder = files.folder / strategy
        call("finetune", *flags, f"--strategy={strategy}", f"--output_dir={folder}")
    one, two = (
        safetensors.numpy.load_file(files.folder / strategy / "model.safetensors")
        for strategy in ("none", "mirrored")
    )
    for name, expected in one.items():
        # What is added to the logits of all places changes no softmax: it learns of rounding.
        atol = 1e-4 if task == "question_answering" and expected.shape == (2,) else 1e-5
        np.testing.assert_allclose(two[name], expected, atol=atol, err_msg=name)
    for of in ("metrics", "steps"):
        lines, expected = (record_of(files.folder / name, of) for name in ("mirrored", "none"))
        assert lines == [pytest.approx(line, abs=1e-4) for line in expected]


def sizes_in(directory):
    """How many heads and columns all blocks have."""
    config = kb.load(directory).config
    layers = range(config.num_layers)
    return sum(map(config.heads_of, layers)), sum(map(config.intermediate_dim_of, layers))


@pytest.mark.slow
def test_what_is_cut_of_a_task_is_gone_and_a_teacher_may_help(
    with_two_seeds, crossing, files, checkpoint, call, refused, without_graphs, without_pictures
):
    (start, task), folder = crossing, files.folder / "cut"
    teacher = () if task == "fill_mask" else (f"--teacher={with_two_seeds}",)
    flags = (
        *files.flags,
        f"--checkpoint={checkpoint}/whole",
        *(f"--eval_files={files.folder}/eval.jsonl", f"--output_dir={folder}", *teacher),
        *("--remove_heads=0.4", "--remove_columns=0.4", "--num_micro_batches=1"),
    )
    if start == "static":
        message = refused("finetune", *flags)
        assert "a table of vectors has none" in message and not folder.exists()
        return
    call("finetune", *flags)
    for before, after in zip(*map(sizes_in, (f"{checkpoint}/whole", folder)), strict=True):
        assert after == before - round(0.4 * before)
    figures = json.loads((folder / "metrics.json").read_text())
    said = call(
        "evaluate",
        f"--checkpoint={folder}",
        f"--eval_files={files.folder}/eval.jsonl",
        *TASKS[task].flags,
    )
    if task != "question_answering":  # where the threshold is chosen afterwards
        for name, value in figures["scores"].items():
            assert json.loads(said)[name] == pytest.approx(value, abs=1e-4), name


@pytest.mark.slow
def test_the_export_for_litert_answers_as_the_checkpoint(
    with_two_seeds, files, task, call, parsed, eagerly, monkeypatch
):
    monkeypatch.setattr(warmup, "BATCH_SIZES", (1,))
    folder = files.folder / "lite"
    call("export", f"--checkpoint={with_two_seeds}", f"--output_dir={folder}", "--format=litert")
    model, examples = asked(with_two_seeds, task, parsed)
    columns = {
        name: column.to_list() if isinstance(column, tf.RaggedTensor) else column.numpy().tolist()
        for name, column in model.input_columns(examples).items()
    }
    outputs = Lite(folder).arrays(columns, "serving_default")
    with eagerly():
        [(_, wanted)] = model.answer_batches(examples)
    compared = [name for name in wanted if np.issubdtype(wanted[name].dtype, np.floating)]
    assert compared
    for name in compared:
        found = np.zeros_like(wanted[name])  # lists are as long as the longest there
        found[tuple(map(slice, outputs[name].shape))] = outputs[name]
        np.testing.assert_allclose(found, wanted[name], atol=1e-4, err_msg=name)


@pytest.mark.slow
def test_a_checkpoint_is_converted_as_it_is_or_refused(
    with_two_seeds, crossing, files, parsed, call, refused, without_graphs
):
    source, folder = f"--source={with_two_seeds}", files.folder / "copy"
    call("convert", source, f"--output_dir={folder}")
    assert weights_of(folder) == weights_of(with_two_seeds)
    (model, examples), (again, _) = (
        asked(path, crossing[1], parsed) for path in (with_two_seeds, folder)
    )
    assert again.settings() == model.settings() and again.encoder.config == model.encoder.config
    assert numbers_of(again(examples)) == numbers_of(model(examples))
    if crossing[0] not in ("pretrained", "extended"):
        google = files.folder / "google"
        message = refused("convert", source, f"--output_dir={google}", "--format=google")
        assert "Google's" in message and not google.exists()


@pytest.mark.slow
def test_files_of_answers_count_as_the_checkpoint_that_wrote_them(
    with_two_seeds, task, files, call, refused, without_graphs
):
    one, other = (with_two_seeds / f"seed-{i}" for i in range(2))
    flags = [flag for flag in TASKS[task].flags if flag != "--repair"]
    asked_of, said = files.folder / "asked.jsonl", files.folder / "said.jsonl"
    rows = [TASKS[task].example(i) for i in range(5, 9)]
    if task == "sentence_embedding":  # the second texts are embedded too
        rows = [{"left": row[side]} for row in rows for side in ("left", "right")]
        flags = ["--text_keys=left"]
    if task == "token_classification":  # whose labels are learned, and would be names of columns
        rows = [{"words": row["tokens"]} for row in rows]
        flags = []
    asked_of.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    call(
        "predict",
        *(f"--checkpoint={other}", f"--input_files={asked_of}", f"--output_file={said}", *flags),
    )
    # A file of tags says which label is the likeliest alone.
    how = "--combine=vote" if task == "token_classification" else "--combine=mean"
    evaluated = (f"--eval_files={files.folder}/eval.jsonl", how, *TASKS[task].flags)
    if task == "fill_mask":
        message = refused("evaluate", f"--checkpoint={one},{said}", "--combine=mean", *evaluated)
        assert "pieces of its own vocabulary" in message
        return
    found = []
    for member in (other, said):
        folder = files.folder / f"scored-{member.name}"
        both = f"--checkpoint={one},{member}"
        call("evaluate", both, *evaluated, f"--output_dir={folder}")
        lines = (folder / "predictions.jsonl").read_text().splitlines()
        found.append([numbers_of(json.loads(line)["answer"]) for line in lines])
    for line, wanted in zip(*found, strict=True):
        assert line == pytest.approx(wanted, abs=1e-3)
    served = files.folder / "served-file"
    with pytest.raises(ValueError, match="predictions for its own examples alone"):
        kb.export(kb.ensemble([kb.load(one).model, said], how.partition("=")[2]), served)
    assert not served.exists()


def columns_to_fit(directory: pathlib.Path, files: Files, task: str, parsed) -> tuple[dict, dict]:
    """Texts, and what is learned of them, as columns with the task's names."""
    path = f"--eval_files={files.folder}/eval.jsonl"
    arguments = parsed("evaluate", f"--checkpoint={directory}", path, *TASKS[task].flags)
    loaded = together.task_of(arguments)
    rows = kb.finetuning.read_for(
        loaded, files_of(arguments, arguments.eval_files), options_of(arguments)
    )
    texts = {*loaded.example_spec, *loaded.other_spec}
    columns = {name: [row.get(name) for row in rows] for name in {**rows[0], **rows[-1]}}
    x = {name: column for name, column in columns.items() if name in texts}
    return x, {name: column for name, column in columns.items() if name not in texts}


@pytest.mark.slow
def test_columns_are_fitted_by_muon_on_two_devices_as_on_one_and_go_on_from_a_file_of_keras(
    with_two_seeds, task, files, parsed, two_devices, without_graphs
):
    x, y = columns_to_fit(with_two_seeds / "seed-0", files, task, parsed)
    learned = []
    for scope in (contextlib.nullcontext(), two_devices.scope()):
        with scope:
            model = kb.load(with_two_seeds / "seed-0", dropout=0.0).model
            if task == "text_classification":
                model.text_keys, model.label_key = ("review",), "mood"
            model.compile(kb.Muon(1e-3), **model.objective())
        model.fit(x, y, batch_size=2, shuffle=False, verbose=0)
        learned.append(model)
    one, two = learned
    for weight, same in zip(one.trainable_variables, two.trainable_variables, strict=True):
        np.testing.assert_allclose(same, weight, atol=1e-4, err_msg=weight.path)
    one.save(files.folder / "task.keras")
    again = keras.models.load_model(files.folder / "task.keras")
    for model in (one, again):
        model.fit(x, y, batch_size=2, shuffle=False, verbose=0)
    for weight, same in zip(one.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(same, weight, atol=1e-6)


@pytest.mark.slow
def test_a_student_learns_on_two_devices_what_it_does_on_one(
    with_two_seeds, files, task, checkpoint, call, refused, without_graphs, without_pictures
):
    flags = (
        *(*files.flags, f"--checkpoint={checkpoint}/whole", "--dropout=0", "--num_epochs=1"),
        f"--teacher={with_two_seeds}/seed-0,{with_two_seeds}/seed-1",
    )
    if task == "fill_mask":
        message = refused("finetune", *flags, f"--output_dir={files.folder}/student")
        assert "fill_mask has no teacher" in message
        return
    for strategy in ("none", "mirrored"):
        folder = files.folder / f"student-{strategy}"
        call("finetune", *flags, f"--strategy={strategy}", f"--output_dir={folder}")
    one, two = (
        safetensors.numpy.load_file(files.folder / f"student-{name}" / "model.safetensors")
        for name in ("none", "mirrored")
    )
    for name, expected in one.items():
        np.testing.assert_allclose(two[name], expected, atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(("start", "name"), sorted(REFUSED))
def test_what_a_start_cannot_do_is_refused(start, name, config, tokenizer, tmp_path, refused):
    model, own = STARTS[start](config, tokenizer)
    kb.save(model, tmp_path / "whole", own)
    lines = (json.dumps(TASKS[name].example(i)) for i in range(1, 4))
    (tmp_path / "train.jsonl").write_text("".join(f"{line}\n" for line in lines))
    message = refused(
        "finetune",
        *(f"--task={name}", f"--train_files={tmp_path}/train.jsonl", "--sequence_length=23"),
        *(f"--checkpoint={tmp_path}/whole", f"--output_dir={tmp_path}/own"),
    )
    assert "filled by a masked language model" in message and not (tmp_path / "own").exists()


def test_every_task_of_the_binary_has_its_row():
    assert list(TASKS) == list(table.TASKS)
