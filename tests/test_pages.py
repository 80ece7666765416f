"""Nothing in the pages is made up: their flags, names, links and messages are there, and they run.

Blocks between fences are taken in their order. One with a title is a file that is written, `sh` and
`python` are run, in a folder of the page's own; all others are only shown. That is so of the pages
in `RUN`; of all others nothing is run. In the folder are `checkpoints/bert-base-uncased`,
`checkpoints/uncased_L-12_H-768_A-12` and `checkpoints/all-MiniLM-L6-v2`, small models with random
weights.
"""

import ast
import contextlib
import dataclasses
import functools
import importlib
import io
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tokenize
from typing import NamedTuple

import pytest
from absl import flags as absl_flags

import keras_bert as kb
from keras_bert import command, flags, usage

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCS, RECIPES = ROOT / "docs", ROOT / "train" / "recipes"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
# Pages that run as they are written.
RUN = (
    "quickstart",
    "classify",
    "tag",
    "answer",
    "choose",
    "pretraining",
    "checkpoints",
    "serving",
    "smaller",
    "distributed",
)
# Flagfiles that a page speaks of, and pages that name flags of other programs.
FLAGS_OF_A_RUN = ("mine.flags", "small.flags", "pretrain.flags", "finetune.flags")
OTHERS_PAGES = ("names", "troubleshooting", "beside")
# TensorFlow Serving's, Slurm's, and those of the Hub's command.
OTHERS_FLAGS = {"allow_version_labels_for_unavailable_models", "enable_batching", "include"}
OTHERS_FLAGS |= {"requeue", "signal"}
LONGEST_S = 1200  # of a block, which may wait for a server that will not come
BESIDE = ("keras_bert", "KerasHub", "transformers", "sentence-transformers")


class Block(NamedTuple):
    language: str
    title: str
    text: str


def name_of(page):
    return page.stem


def text_of(page):
    return page.read_text(encoding="utf-8")


def blocks_of(text):
    """What stands between fences."""
    fences = re.findall(r"^```(\S*)(.*)\n((?:.*\n)*?)```$", text, flags=re.MULTILINE)
    for language, rest, content in fences:
        yield Block(language, *re.findall('title="(.*)"', rest) or [""], content)


def prose_of(text):
    """A page without its blocks and comments."""
    return re.sub(r"^```.*\n(?:.*\n)*?```$|<!--[^>]*-->", "", text, flags=re.MULTILINE)


def programs_of(script):
    """The programs of this project that a shell script begins, and scripts: lists of words."""
    for line in re.sub(r"\\\n\s*", " ", script).splitlines():
        if not re.search("keras-bert |python |^make ", line):
            continue  # what is printed may be no shell
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        program = []
        for word in [*lexer, ";"]:
            if set(word) <= set("|&;()<>"):
                yield program
                program = []
            elif program or not re.fullmatch(r"\w+=.*", word):
                program.append(word)


def check_flags(word, argv):
    """Parses the flags of a binary as it would."""
    assert word in command.MODULES, word
    if word == "launch":
        place = argv.index("--")
        behind, argv = argv[place + 1 :], argv[:place]
        check_flags(behind[0], behind[1:])
    arguments_type = importlib.import_module(command.MODULES[word]).Arguments
    values = absl_flags.FlagValues()
    flags.define(arguments_type, values)
    given = [one for one in argv if not one.endswith(FLAGS_OF_A_RUN)]
    try:
        usage.parse(["keras-bert", *given], RECIPES, values)
    except ValueError as error:
        # Which the flags of the run may give.
        assert len(given) < len(argv) and "must be given" in str(error), f"{word} {argv}: {error}"


def check_program(program):
    match program:
        case ["keras-bert", "--help" | "--version"] | ["keras-bert", _, "--help"]:
            pass
        case ["keras-bert", word, *argv]:
            check_flags(word, argv)
        case ["python", "-m", module, *argv] if module.startswith("train."):
            check_flags(module.removeprefix("train.").replace("_", "-"), argv)
        case ["python", "-m", module, *_] if module.startswith("benchmarks."):
            assert ROOT.joinpath(*module.split(".")).with_suffix(".py").is_file(), module
        case ["make", *targets]:
            made = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert {one for one in targets if "=" not in one} <= {*made}, targets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_have_flags_that_there_are(page):
    text = text_of(page)
    for block in blocks_of(text):
        if block.language in ("", "sh") and not block.title:
            for program in programs_of(block.text):
                check_program(program)
    for code in re.findall("`([^`\n]+)`", prose_of(text)):
        match code.split():
            case ["keras-bert", word, *_] if re.fullmatch("[a-z-]+", word):
                assert word in command.MODULES, code


@functools.cache
def known_flags():
    fields = {"help", "version", "flagfile", "verbosity"}
    for module in command.MODULES.values():
        arguments_type = importlib.import_module(module).Arguments
        fields |= {field.name for field in dataclasses.fields(arguments_type)}
    return fields | {f"no{field}" for field in fields}


@pytest.mark.parametrize("page", [p for p in PAGES if p.stem not in OTHERS_PAGES], ids=name_of)
def test_flags_in_the_text_are_there(page):
    named = re.findall(r"`--(\w+)[^`\n]*`", prose_of(text_of(page)))
    assert not {*named} - known_flags() - OTHERS_FLAGS


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_compiles_and_its_names_are_there(page):
    for block in blocks_of(text_of(page)):
        if block.language in ("python", "py"):
            for node in ast.walk(ast.parse(block.text)):
                name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
                if re.fullmatch(r"kb(\.\w+)+", name):
                    functools.reduce(getattr, name.split(".")[1:], kb)
    for names in re.findall(r"`kb\.([\w.]*\w)", prose_of(text_of(page))):
        functools.reduce(getattr, names.split("."), kb)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose_of(text_of(page))):
        path = link.partition("#")[0]
        assert "://" in link or not path or (page.parent / path).exists(), link


def test_every_page_is_in_the_site():
    pages = re.findall(r"(\w+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE)
    assert sorted(pages) == sorted(page.name for page in PAGES if page.parent == DOCS)


@functools.cache
def said():
    """All texts of the package, where what is put into them is an ellipsis."""
    texts = []
    for path in [*(ROOT / "keras_bert").rglob("*.py"), *(ROOT / "train").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [str(getattr(part, "value", "…")) for part in node.values]
                constant = [isinstance(part, ast.Constant) for part in node.values]
                texts += ["".join(p if c else "…" for p, c in zip(parts, constant, strict=True))]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return texts


def test_messages_that_are_explained_are_said():
    table = re.findall(r"^\| `([^`]+)`", text_of(DOCS / "troubleshooting.md"), flags=re.MULTILINE)
    assert len(table) >= 25
    for message in table:
        parts = [re.escape(part.strip()) for part in message.split("…") if part.strip()]
        assert any(re.search(".*".join(parts), text, re.DOTALL) for text in said()), message


def num_lines_of(code):
    """Statements, and the heads of compound ones, however many lines they are broken into."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return sum(token.type == tokenize.NEWLINE for token in tokens)


def sides_of(text):
    """For each job the sides that have it, with their blocks."""
    jobs = {}
    for job in re.split("^## ", text, flags=re.MULTILINE)[1:]:
        title, _, rest = job.partition("\n")
        sides = re.split(r"^\*\*(.+?)\*\*", rest, flags=re.MULTILINE)[1:]
        jobs[title] = dict(zip(sides[::2], map(list, map(blocks_of, sides[1::2])), strict=True))
    return {title: sides for title, sides in jobs.items() if sides}


def test_lines_are_counted_as_they_stand():
    text = text_of(DOCS / "beside.md")
    for title, sides in sides_of(text).items():
        [row] = re.findall(rf"^\| {title} \|(.*)\|$", text, flags=re.MULTILINE)
        cells = dict(zip(BESIDE, map(str.strip, row.split("|")), strict=True))
        assert {side for side, cell in cells.items() if cell != "–"} == {*sides}, title
        for side, blocks in sides.items():
            lines = sum(num_lines_of(one.text) for one in blocks if one.language == "python")
            scripts = [one.text for one in blocks if one.language == "sh"]
            programs = [program for script in scripts for program in programs_of(script) if program]
            counted = [f"{lines} lines"] * (lines > 0) + [
                f"{len(programs)} command{'s' * (len(programs) > 1)}"
            ] * bool(programs)
            assert cells[side] == " and ".join(counted), (title, side, counted)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory, vocabulary, tokenizer):
    """A folder with small models in place of those that people get from the Hub."""
    folder = tmp_path_factory.mktemp("pages") / "checkpoints"
    config = dataclasses.replace(kb.BertConfig.preset("tiny"), vocabulary_size=len(vocabulary))
    encoder = kb.BertEncoder(config)
    kb.save(kb.BertPretrainer(encoder), folder / "bert-base-uncased", tokenizer)
    kb.save(kb.SentenceEmbedder(encoder, kb.Packer(tokenizer, 64)), folder / "all-MiniLM-L6-v2")
    google = kb.BertEncoder(dataclasses.replace(config, activation="gelu_tanh"))
    kb.save_google(kb.BertPretrainer(google), folder / "uncased_L-12_H-768_A-12", tokenizer)
    # As it is published: with a pooler, which no embedding needs, and without checksums.
    kb.save(encoder, folder / "encoder", tokenizer)
    shutil.copy(folder / "encoder" / "model.safetensors", folder / "all-MiniLM-L6-v2")
    (folder / "all-MiniLM-L6-v2" / "checksums.json").unlink()
    return folder


@pytest.fixture
def run(tmp_path, checkpoints):
    """Runs a block in a folder of the test's own."""
    (tmp_path / "bin").mkdir()
    for name, arguments in (("python", ""), ("keras-bert", "-m keras_bert")):
        (tmp_path / "bin" / name).write_text(
            f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n'
        )
        (tmp_path / "bin" / name).chmod(0o755)
    folder = tmp_path / "page"
    folder.mkdir()
    shutil.copytree(checkpoints, folder / "checkpoints")
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}

    def run(block):
        if block.title:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text, encoding="utf-8")
            return
        program = {"sh": ["bash", "-euc"], "python": [sys.executable, "-c"]}[block.language]
        with open(tmp_path / "said", "w+", encoding="utf-8") as said:
            done = subprocess.Popen(
                [*program, block.text],
                cwd=folder,
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = done.wait(LONGEST_S)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(done.pid, signal.SIGKILL)  # with a server that was not told to end
            said.seek(0)
            lines = said.read()
        assert code == 0, f"{block.text}\n{lines}"
        print(f"{block.text}\n{lines}")  # for -s: the numbers that a page gives

    return run


def to_run(blocks):
    return [one for one in blocks if one.title or one.language in ("sh", "python")]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_a_page_runs_as_it_is_written(run, name):
    blocks = to_run(blocks_of(text_of(DOCS / f"{name}.md")))
    assert any(one.language == "sh" for one in blocks)
    for block in blocks:
        run(block)


# What each of the libraries needs to run its side.
NEEDED = {
    "keras_bert": (),
    "KerasHub": ("keras_hub",),
    "transformers": ("transformers", "accelerate"),
    "sentence-transformers": ("sentence_transformers", "datasets"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "side",
    [pytest.param(s, marks=[pytest.mark.reference(*n)] if n else []) for s, n in NEEDED.items()],
)
def test_every_side_runs_as_it_is_written(run, side):
    text = text_of(DOCS / "beside.md")
    for block in to_run(blocks_of(text)):
        if block.title:
            run(block)
    for sides in sides_of(text).values():
        for block in to_run(sides.get(side, [])):
            run(block)
