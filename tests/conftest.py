"""The only fixtures: a small vocabulary, its tokenizer, and the reference data if it is there.

A test that is skipped shows nothing, so each kind of skip has a budget in pyproject.toml: a run of
all tests says in one line how many were skipped and why, and fails if they are more.
"""

from __future__ import annotations  # so that who starts the workers does not import TensorFlow

import collections
import contextlib
import dataclasses
import gc
import importlib.util
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import hypothesis
import numpy as np
import pytest

import keras_bert as kb

# Properties are tried on the same values in every run, however busy the machine is.
hypothesis.settings.register_profile(
    "tests",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("tests")

# The hooks below are tried on tests of their own.
pytest_plugins = ("pytester",)


def pytest_configure(config):
    """Splits the CPU in two, for tests of several devices, in all processes that run tests.

    A worker of several has one core to itself: with a thread for every core the threads of all
    workers wait for each other, which takes twice as long.
    """
    if hasattr(config, "workerinput"):
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        import tensorflow as tf

        [cpu] = tf.config.list_physical_devices("CPU")
        halves = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
        tf.config.set_logical_device_configuration(cpu, halves)


SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"

# Letters as first and as later pieces, so that every ASCII word has a spelling, and a few words.
VOCABULARY = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *"abcdefghijklmnopqrstuvwxyz",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
    *"0123456789.,;:!?-'()[]",
    *("the", "quick", "brown", "fox", "jump", "over", "lazy", "dog", "fine", "film"),
    *("un", "aff", "##ord", "##able", "##ed", "##ing", "##est", "want"),
)


@pytest.fixture(scope="session")
def vocabulary() -> tuple[str, ...]:
    """97 pieces: the special tokens, letters, digits, punctuation, and a few words."""
    return VOCABULARY


@pytest.fixture(scope="session")
def tokenizer(vocabulary) -> kb.Tokenizer:
    """An uncased tokenizer over `vocabulary`."""
    return kb.Tokenizer(vocabulary)


@pytest.fixture(scope="session")
def config() -> kb.BertConfig:
    """A small model with odd sizes and more rows of embeddings than `vocabulary` has pieces."""
    return kb.BertConfig(
        vocabulary_size=101,
        num_layers=2,
        num_heads=3,
        hidden_dim=18,
        intermediate_dim=31,
        max_sequence_length=23,
    )


# What is its own in each family's small encoder.
FAMILIES = {
    "Bert": {},
    "DistilBert": {},
    "Electra": {"embedding_dim": 11},
    "Roberta": {},
    "ModernBert": {"local_window": 4},
}


@pytest.fixture(scope="session")
def encoder_of(config):
    """A function that makes a small encoder of a family: `Electra` is that of `ElectraEncoder`."""
    names = ("vocabulary_size", "num_heads", "hidden_dim", "intermediate_dim")
    sizes = {name: getattr(config, name) for name in (*names, "max_sequence_length")}

    def make(family, **changes):
        fields = {**sizes, "num_layers": 3, **FAMILIES[family], **changes}
        return getattr(kb, f"{family}Encoder")(getattr(kb, f"{family}Config")(**fields))

    return make


@pytest.fixture(scope="session")
def byte_pairs_of():
    """A function that makes a family's tokenizer of single bytes and a word, 263 pieces at most."""
    from keras_bert.text.byte_alphabet import BYTES
    from keras_bert.text.byte_pieces import SpecialTokens

    names = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[SEP]", "[MASK]")
    special = {"Roberta": SpecialTokens(), "ModernBert": SpecialTokens(*names)}

    def make(family):
        # Padding has the id 1, as of RoBERTa.
        roles = special[family]
        first = dict.fromkeys((roles.begin, roles.pad, *vars(roles).values()))
        merges = [("f", "o"), ("fo", "x")]
        return kb.BytePairTokenizer(
            (*first, *BYTES, "fo", "fox"), merges, roles, 2 if family == "Roberta" else 1
        )

    return make


# What each task learns from, two of them where it tells classes apart.
EXAMPLES = {
    "TextClassifier": [
        {"sentence": "the fox", "label": "fine"},
        {"sentence": "a dog", "label": "bad"},
    ],
    "TokenClassifier": [{"words": ["the", "fox"], "labels": ["O", "B-X"]}],
    "QuestionAnswerer": [
        {"question": "what", "context": "the fox", "answers": ["fox"], "answer_starts": [4]}
    ],
    "MultipleChoice": [
        {"context": "a", "question": "so", "choices": ["fox", "dog"], "label": 0},
        {"context": "a", "question": "so", "choices": ["a", "fox"], "label": 1},
    ],
    "SentenceEmbedder": [{"text": "the fox", "positive": "a fox"}],
    "FillMask": [{"text": "the {mask}", "answers": ["fox"]}],
}


@pytest.fixture(scope="session")
def two_examples():
    """A function of a task's class and a tokenizer that gives two examples to learn from."""

    def make(kind, tokenizer):
        first, *others = EXAMPLES[kind.__name__]
        return [
            {n: v.format(mask=tokenizer.mask_token) if n == "text" else v for n, v in one.items()}
            for one in (first, *(others or [first]))
        ]

    return make


@pytest.fixture(scope="session")
def drawn():
    """Gives a model back with every weight drawn: no bias is 0, no scale 1, no two are alike.

    Weights as they are made would hide that two of them are mixed up, or that one is left out.
    """

    def draw(model):
        generator = np.random.default_rng(29)
        for variable in model.weights:
            if "float" in variable.dtype:
                variable.assign(variable + generator.normal(scale=0.1, size=variable.shape))
        return model

    return draw


@pytest.fixture(scope="session")
def lite_exports(config, tokenizer, drawn, tmp_path_factory):
    """A classifier of `text`, and its exports for LiteRT: in float32, then in int8."""
    from keras_bert.exporting import warmup

    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    labels = ("bad", "fine", "odd")
    task = drawn(kb.TextClassifier(encoder, kb.Packer(tokenizer, 23), labels, ("text",)))
    folder = tmp_path_factory.mktemp("lite") / "labels"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warmup, "BATCH_SIZES", (1,))
        return task, [
            kb.export(task, folder, precision, format="litert") for precision in ("float32", "int8")
        ]


@contextlib.contextmanager
def _eagerly():
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def eagerly():
    """`with eagerly():` runs operation by operation: a graph takes longer than a few steps do."""
    return _eagerly


@pytest.fixture
def without_graphs():
    """A test all of which runs so."""
    with _eagerly():
        yield


@pytest.fixture(scope="session")
def two_devices():
    """A strategy with a replica on each half of the CPU."""
    with kb.training.devices("mirrored") as strategy:
        return strategy


@pytest.fixture
def on_a_tpu(monkeypatch):
    """`with on_a_tpu():` takes the device for a TPU."""

    @contextlib.contextmanager
    def switched():
        with monkeypatch.context() as patch:
            patch.setattr(kb.training.replicas, "on_tpu", lambda: True)
            yield

    return switched


@pytest.fixture(scope="session")
def as_on_a_tpu():
    """Makes of a step, function of a batch, one that XLA compiles as a whole.

    XLA for a CPU takes two things that XLA for a TPU does not, float64 and strings, and shapes that
    are found out as it compiles: a graph with one of these is refused here.
    """
    import tensorflow as tf

    def check(concrete):
        graph = concrete.graph.as_graph_def(add_shapes=True)
        nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
        for node in nodes:
            types = [a.type for a in node.attr.values()] + [
                one for a in node.attr.values() for one in a.list.type
            ]
            assert not {tf.float64.as_datatype_enum, tf.string.as_datatype_enum} & {*types}, node
            assert "Table" not in node.op, node
            shapes = [tf.TensorShape(s) for s in node.attr["_output_shapes"].list.shape]
            assert all(shape.is_fully_defined() for shape in shapes), node
        return concrete

    def made(step, batch):
        function = tf.function(step, jit_compile=True, autograph=False)
        return check(function.get_concrete_function(batch)) and function

    return made


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The reference data beside the checkout; tests that need it are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip(f"{WITHOUT_DATA}: {SHARED.name}/ is not beside this checkout")
    return SHARED


# How the reason of a skip begins, and the budget that it is in. For another reason none may be.
WITHOUT_REFERENCE = "without the reference packages"
WITHOUT_DATA = "without the reference data"
BUDGETS = {
    WITHOUT_REFERENCE: "skips_without_reference",
    WITHOUT_DATA: "skips_without_data",
    "without older interpreters": "skips_without_interpreters",
    "without mounting": "skips_without_mounting",
}


def pytest_addoption(parser):
    for reason, name in BUDGETS.items():
        parser.addini(name, f"how many tests may be skipped {reason}", type="int", default=0)


# Where the files are that take longest: begun last, one would be waited for by all other workers.
SLOW_FOLDERS = ("train", "exporting", "serving", "tasks", "training", "models", "checkpoints")


def pytest_collection_modifyitems(config, items):
    places = {folder: place for place, folder in enumerate(SLOW_FOLDERS)}

    def place(item):
        folders = item.path.relative_to(config.rootpath).parts
        return min(places.get(folder, len(places)) for folder in folders)

    items.sort(key=place)


def pytest_collection_finish():
    # What was imported stays: looking at all of it again and again is a tenth of the time.
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


def pytest_runtest_setup(item):
    for mark in item.iter_markers("reference"):
        missing = [name for name in mark.args if importlib.util.find_spec(name) is None]
        if missing:
            pytest.skip(f"{WITHOUT_REFERENCE}: {', '.join(missing)} (make test-reference has them)")


def pytest_sessionfinish(session):
    # xdist's workers have no terminal: they report to the process that has it.
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and session.exitstatus == pytest.ExitCode.OK and _over_budget(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    skipped = _skipped(terminalreporter)
    budget = _budget(terminalreporter.config)
    parts = [f"{len(skipped[reason])} {reason} (at most {budget[reason]})" for reason in skipped]
    terminalreporter.write_line(f"Skipped: {', '.join(parts) or 'none'}.")
    for reason in _over_budget(terminalreporter):
        terminalreporter.write_line(f"More are skipped {reason} than pyproject.toml allows:", red=1)
        for line in skipped[reason]:
            terminalreporter.write_line(f"  {line}")


def _skipped(reporter):
    """The skipped tests and modules of this run, by the beginning of the reason."""
    found = collections.defaultdict(list)
    for report in reporter.stats.get("skipped", []):
        _, _, message = report.longrepr
        message = message.removeprefix("Skipped: ")
        kind = next((known for known in BUDGETS if message.startswith(known)), "for other reasons")
        found[kind].append(f"{report.nodeid}: {message}")
    return found


def _budget(config):
    return collections.Counter({reason: config.getini(name) for reason, name in BUDGETS.items()})


def _over_budget(reporter):
    """The kinds of which a run of all tests has skipped too many; a run of some has no budget."""
    config = reporter.config
    if config.args_source is pytest.Config.ArgsSource.ARGS or config.option.keyword:
        return []
    budget = _budget(config)
    return [kind for kind, tests in _skipped(reporter).items() if len(tests) > budget[kind]]
