"""Recipes: each is of one binary, fits its model, and holds what its header says."""

import dataclasses
import pathlib
import re
import shlex

import pytest

import keras_bert as kb
from train.pretraining import shares

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPES = {path.stem: path for path in sorted((ROOT / "train" / "recipes").glob("*.flags"))}
# What must be given besides a recipe, by binary.
REQUIRED = {
    "pretrain": ("--input_pattern=x", "--output_dir=y", "--vocabulary=z"),
    "finetune": ("--task=text_classification", "--output_dir=y"),
}
# Those that others include, or that the Makefile runs: their headers have no command.
PARTS = {
    "bert",
    "fast",
    "electra",
    "roberta",
    "modernbert",
    "finetune",
    "finetune_small",
    "demo",
    "demo_parts",
    "demo_search",
} | {f"finetune_{family}" for family in ("roberta", "electra", "electra_large")}
# What headers say of flags, and the flags.
SAID = (
    (
        r"^# (?:Distil|Modern)?(?:BERT|ELECTRA|RoBERTa) (tiny|mini|small|medium|base|large)\b",
        "preset",
    ),
    (r"\brows of ([\d,]+)", "sequence_length"),
    (r"\bbatch ([\d,]+)", "batch_size"),
    (r"\b(\d+) epochs", "num_epochs"),
    (r"\b(\d)e-5\b", "learning_rate"),
)
# The columns of the data sets (Wang et al. 2019, as TensorFlow Datasets names them).
GLUE = {
    "cola": "sentence",
    "mnli": "premise,hypothesis",
    "mrpc": "sentence1,sentence2",
    "qnli": "question,sentence",
    "qqp": "question1,question2",
    "rte": "sentence1,sentence2",
    "sst2": "sentence",
    "stsb": "sentence1,sentence2",
    "wnli": "sentence1,sentence2",
}


def header_of(name):
    lines = RECIPES[name].read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.startswith("#"))


def command_of(name):
    """The binary and the flags of the command in a recipe's header."""
    text = re.sub(r"\\\n#", " ", header_of(name))
    [(binary, given)] = re.findall(r"^# keras-bert (\w+) (.+)$", text, re.MULTILINE)
    return binary, shlex.split(given)


@pytest.fixture(scope="module")
def resolved(parsed):
    """A function of a recipe's name that gives its binary, and the arguments that it makes."""

    def resolve(name):
        found = {}
        for binary, given in REQUIRED.items():
            try:
                found[binary] = parsed(binary, *given, f"--flagfile={RECIPES[name]}")
            except ValueError as error:
                assert "There is no flag" in str(error)
        [(binary, arguments)] = found.items()
        return binary, arguments

    return resolve


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_of_one_binary_and_fits_its_model(resolved, name):
    binary, arguments = resolved(name)
    assert 0 < arguments.learning_rate <= 0.01
    assert arguments.batch_size % arguments.num_micro_batches == 0
    if binary == "finetune":
        assert 0 <= arguments.warmup_share < 1 <= arguments.num_epochs
        assert arguments.sequence_length <= kb.BertConfig().max_sequence_length
        assert (arguments.stride or 0) < arguments.sequence_length
        return
    config = kb.pretraining.preset_of(arguments.preset or "base")
    assert arguments.sequence_length <= config.max_sequence_length
    # As BERT has them, somewhat more than the share that is masked of a full row.
    share = arguments.max_predictions / arguments.sequence_length
    assert share > arguments.mask_rate
    assert share - arguments.mask_rate < max(0.01, 1 / arguments.sequence_length)
    assert arguments.warmup_steps is None or arguments.warmup_steps < arguments.num_steps
    assert arguments.num_steps % arguments.steps_per_epoch == 0


@pytest.mark.parametrize("name", RECIPES)
def test_what_the_header_says_of_flags_is_so(resolved, name):
    _, arguments = resolved(name)
    header = header_of(name)
    for pattern, flag in SAID:
        said = {text.replace(",", "") for text in re.findall(pattern, header, re.MULTILINE)}
        value = getattr(arguments, flag, None)
        found = f"{value * 1e5:g}" if flag == "learning_rate" else str(value)
        found = found.rpartition("_")[2] if flag == "preset" else found
        assert not said or found in said, (flag, found, said)


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in PARTS])
def test_the_command_of_the_header_runs_the_recipe(resolved, parsed, name):
    """It has all that must be given, and changes nothing that the recipe says."""
    binary, given = command_of(name)
    assert f"--flagfile={name}.flags" in given
    arguments = parsed(binary, *given)
    own_binary, recipe = resolved(name)
    assert binary == own_binary
    own = {flag.removeprefix("--").split("=")[0] for flag in given}
    differing = {
        field
        for field, value in dataclasses.asdict(arguments).items()
        if value != getattr(recipe, field)
    }
    assert differing <= own | {flag.removeprefix("--").split("=")[0] for flag in REQUIRED[binary]}


def test_the_first_nine_tenths_and_the_last_are_bert(resolved):
    first, last = (resolved(name)[1] for name in ("bert", "bert_long"))
    assert first.num_steps == 9 * last.num_steps == 900_000
    assert (first.sequence_length, last.sequence_length) == (128, 512)
    assert resolved("bert_large")[1].mask_unit == "word" and first.mask_unit == "token"


def test_roberta_has_full_sentences_and_no_clipping(resolved):
    for name in ("roberta", "roberta_base", "roberta_large"):
        arguments = resolved(name)[1]
        assert (arguments.sentence_objective, arguments.clip_norm) == ("none", 0)
        assert (arguments.beta_2, arguments.bias_correction) == (0.98, True)


def test_electra_has_the_papers_hyperparameters(resolved):
    """Clark et al. 2020, table 6."""
    expected = {
        "small": (128, 128, 5e-4, 1_000_000, 0.15),
        "base": (512, 256, 2e-4, 766_000, 0.15),
        "large": (512, 2048, 2e-4, 400_000, 0.25),
    }
    for size, values in expected.items():
        found = resolved(f"electra_{size}")[1]
        names = ("sequence_length", "batch_size", "learning_rate", "num_steps", "mask_rate")
        assert tuple(getattr(found, name) for name in names) == values
        assert (found.objective, found.warmup_steps) == ("replaced_tokens", 10_000)
        assert (found.preset, found.detection_weight) == (f"electra_{size}", 50.0)
        assert shares(found) == {"mask_share": 0.85, "random_share": 0.0}


def test_modernbert_has_the_papers_numbers_of_tokens(resolved):
    for size, tokens, warmup, rate in (
        ("base", 1.719e12, 3e9, 8e-4),
        ("large", 1.719e12, 2e9, 5e-4),
    ):
        found = resolved(f"modernbert_{size}")[1]
        per_step = found.batch_size * found.sequence_length
        assert found.num_steps * per_step == pytest.approx(tokens, rel=1e-2)
        assert found.warmup_steps * per_step == pytest.approx(warmup, rel=1e-2)
        assert (found.mask_rate, found.learning_rate) == (0.3, rate)


def test_a_distilbert_is_taught_as_its_authors_do(resolved):
    found = resolved("distilbert_base")[1]
    assert found.teacher_share / (1 - found.teacher_share) == pytest.approx(5 / 2, rel=0.03)
    assert (found.distil, found.temperature) == ("outputs,cosine", 2)


def test_the_columns_of_glue_are_read(resolved):
    recipes = {name.removeprefix("glue_"): name for name in RECIPES if name.startswith("glue_")}
    assert set(recipes) == set(GLUE)
    for task, name in recipes.items():
        arguments = resolved(name)[1]
        assert (arguments.task, arguments.text_keys) == ("text_classification", GLUE[task])
        source = arguments.dataset or arguments.train_files
        assert source.split("@")[0] == f"tfds:glue/{task}"
        assert (arguments.problem == "regression") == (task == "stsb")


def test_metrics_are_scores_of_their_tasks(resolved, tokenizer, config):
    """What a header gives as the reference is what the best epoch is chosen by."""
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    packer = kb.Packer(tokenizer, 9)
    tasks = {
        "squad2": kb.QuestionAnswerer(encoder, packer, no_answer_threshold=0.0),
        "glue_stsb": kb.TextClassifier(encoder, packer, ("value",), problem="regression"),
        **dict.fromkeys(("glue_cola", "glue_mrpc"), kb.TextClassifier(encoder, packer, ("0", "1"))),
    }
    metrics = {name: getattr(resolved(name)[1], "metric", None) for name in RECIPES}
    assert {name for name, metric in metrics.items() if metric} <= set(tasks)
    for name, task in tasks.items():
        assert metrics[name] in (None, *task.score_names)
        [said] = re.findall(r"Reference: (\w+)", header_of(name))
        chosen = metrics[name] or task.score_names[0]
        assert said.lower() in chosen


def test_a_familys_hyperparameters_take_the_place_of_berts(parsed):
    for family, rate, decay in (
        ("roberta", 2e-5, 1.0),
        ("electra", 1e-4, 0.8),
        ("electra_large", 5e-5, 0.9),
    ):
        recipes = (RECIPES["glue_mnli"], RECIPES[f"finetune_{family}"])
        given = (f"--flagfile={recipe}" for recipe in recipes)
        arguments = parsed("finetune", *given, "--checkpoint=x", "--output_dir=y")
        assert (arguments.learning_rate, arguments.layer_decay) == (rate, decay)
        assert arguments.text_keys == GLUE["mnli"]
