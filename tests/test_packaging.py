"""What is installed: built of the checkout, used in another folder, with what it asks for alone."""

import contextlib
import importlib.metadata
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
# What is no file of the checkout's own.
NOT_OURS = (".git", ".venv*", ".*_cache", ".hypothesis", "*.egg-info", "build", "demo", "site")
# Where a requirement's name ends.
NAME = re.compile(r"[\w.-]+")


@pytest.fixture(scope="module")
def setup():
    spec = importlib.util.spec_from_file_location("kerasbert_setup", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def links_of(text):
    return re.findall(r"\]\((.*?)\)", text)


def test_every_link_of_the_readme_leads_somewhere():
    relative = [link for link in links_of(README) if not link.startswith("http")]
    assert relative and all((ROOT / link).exists() for link in relative)


def test_an_index_shows_the_readme_without_dead_links(setup):
    shown = setup.long_description(README, None)
    assert len(shown) > len(README) / 2
    assert all(link.startswith("https://") for link in links_of(shown))
    code = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
    assert code.findall(shown) == code.findall(README)


def test_links_become_absolute_where_the_repository_has_an_address(setup):
    text = "[a](docs/a.md#b) ![c](d.png) [e](https://e.example) [f](#g)"
    base = "https://host.example/x/blob/HEAD"
    assert setup.long_description(text, "https://host.example/x/") == (
        f"[a]({base}/docs/a.md#b) ![c]({base}/d.png) [e](https://e.example) [f](#g)"
    )
    assert setup.long_description(text, None) == "a  [e](https://e.example) [f](#g)"
    config = (
        "[metadata]\nproject_urls =\n    Home = https://h.example\n    Source = https://s.example\n"
    )
    assert setup.source_of(config) == "https://s.example"
    assert setup.source_of("[metadata]\n") is None


def run(*command, cwd, succeeds=True):
    """What a command prints, in a folder, with nothing of this process' own paths."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert succeeds == (done.returncode == 0), f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def not_ours(folder, names):
    patterns = (*NOT_OURS, "checkpoints") if pathlib.Path(folder) == ROOT else ("__pycache__",)
    return shutil.ignore_patterns(*patterns)(folder, names)


def copied(target, with_link):
    """The checkout's files, with keras_bert/train as a link, or as what is left of it without."""
    shutil.copytree(ROOT, target, symlinks=True, ignore=not_ours)
    if not with_link:
        link = target / "keras_bert" / "train"
        # The one of an unpacked archive is a folder.
        (shutil.rmtree if link.is_dir() and not link.is_symlink() else os.unlink)(link)
        link.write_text("../train")
    return target


def names_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def dist_info(wheel):
    name, version, *_ = wheel.name.split("-")
    return f"{name}-{version}.dist-info"


def metadata_of(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"{dist_info(wheel)}/METADATA").decode()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A source distribution, and the wheel that is built of it."""
    folder = tmp_path_factory.mktemp("built")
    checkout = copied(folder / "checkout", with_link=True)
    run(sys.executable, "-m", "build", "--outdir", folder, checkout, cwd=folder)
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.mark.slow
def test_both_archives_are_what_an_index_takes(built):
    sdist, wheel = built
    run(sys.executable, "-m", "twine", "check", "--strict", *built, cwd=sdist.parent)
    metadata = metadata_of(wheel)
    for line in ("License-Expression: Apache-2.0", "License-File: LICENSE", "Keywords: BERT,"):
        assert f"\n{line}" in metadata
    ours = {path.name for path in (ROOT / "train" / "recipes").glob("*.flags")}
    inside = names_in(wheel)
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "keras_bert").rglob("*.py")}
    assert modules | {
        f"keras_bert/train/{path.name}" for path in (ROOT / "train").glob("*.py")
    } == {name for name in inside if name.endswith(".py")}
    assert {f"keras_bert/train/recipes/{name}" for name in ours} <= inside
    assert {name.split("/")[0] for name in inside} == {"keras_bert", dist_info(wheel)}


# `python -m keras_bert` where an editable installation does not find what the checkout lacks.
NOT_INSTALLED = """
import runpy, sys
names = {one: getattr(one, "__module__", "") for one in sys.meta_path}
sys.meta_path[:] = [one for one, name in names.items() if "editable" not in name]
runpy.run_module("keras_bert", run_name="__main__")
"""


@pytest.mark.slow
def test_a_checkout_without_links_has_the_same_wheel(built, tmp_path):
    checkout = copied(tmp_path / "checkout", with_link=False)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, checkout, cwd=tmp_path)
    [wheel] = tmp_path.glob("*.whl")
    assert names_in(wheel) == names_in(built[1])
    said = run(sys.executable, "-c", NOT_INSTALLED, "pretrain", cwd=checkout, succeeds=False)
    assert said.startswith("Error: keras_bert/train must be a link to ../train")


@pytest.mark.slow
def test_an_unpacked_source_distribution_has_its_tests(built, tmp_path):
    with tarfile.open(built[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    [unpacked] = tmp_path.iterdir()
    lacking = [link for link in links_of(README) if not link.startswith("http")]
    assert not [link for link in lacking if not (unpacked / link).exists()]
    pytest_of = (sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider")
    run(*pytest_of, "--collect-only", cwd=unpacked)
    run(*pytest_of, *(f"tests/test_{name}.py" for name in ("house", "command")), cwd=unpacked)


def needed(requirement, found):
    """The installed distributions that one needs, and these need, by their names."""
    name = NAME.match(requirement)[0].lower().replace("_", "-")
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        if name not in found:
            found[name] = importlib.metadata.distribution(name)
            for other in found[name].requires or ():
                # Extras are others' affair; what a platform lacks is not found.
                if "extra ==" not in other:
                    needed(other, found)
    return found


def link_files(distribution, site):
    for file in distribution.files or ():
        source = pathlib.Path(file.locate())
        if ".." not in file.parts and file.suffix != ".pyc" and source.is_file():
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The folder of an environment's programs, in which is the wheel and what it asks for.

    That is linked from this environment, file by file, and nothing else of it can be imported.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True, symlinks=True)
    [site] = folder.glob("lib/python*/site-packages")
    found = {}
    for line in re.findall("^Requires-Dist: (.*)$", metadata_of(built[1]), re.MULTILINE):
        if "extra ==" not in line:
            needed(line, found)
    for name, distribution in found.items():
        if not (site / name).exists():  # what every environment of this Python has
            link_files(distribution, site)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", built[1], cwd=folder)
    run(python, "-m", "pip", "check", cwd=folder)
    return python.parent


@pytest.mark.slow
def test_an_installation_elsewhere_is_the_whole_program(installed, tmp_path):
    def keras_bert(*command):
        return run(installed / "keras-bert", *command, cwd=tmp_path)

    assert "learn-vocabulary" in keras_bert("--help")
    (tmp_path / "texts.txt").write_text(
        "a fine film\nand a good one\n\na dull film\nbut long\n" * 9
    )
    (tmp_path / "rows.csv").write_text("text,label\n" + "a fine film,good\na dull film,bad\n" * 8)
    texts = ("--input_pattern=texts.txt", "--documents=blank_lines")
    keras_bert("learn-vocabulary", *texts, "--vocabulary_size=60", "--output=vocab.txt")
    sizes = ("--sequence_length=16", "--max_predictions=3", "--batch_size=4", "--warmup_steps=1")
    steps = ("--num_steps=3", "--steps_per_epoch=3", "--preset=tiny")
    keras_bert("pretrain", *texts, *sizes, *steps, "--vocabulary=vocab.txt", "--output_dir=bert")
    columns = ("--text_keys=text", "--label_key=label", "--eval_share=0.25")
    learned = ("--task=text_classification", "--train_files=rows.csv", "--num_epochs=1", *columns)
    recipe = "--flagfile=finetune_small.flags"
    keras_bert("finetune", recipe, *learned, "--checkpoint=bert", "--output_dir=films")
    said = keras_bert("predict", "--checkpoint=films", "--text=a fine film")
    assert said.startswith("a fine film\n  ") and ("good" in said or "bad" in said)
    keras_bert("export", "--checkpoint=films", "--output_dir=served")
    assert (tmp_path / "served" / "1" / "saved_model.pb").is_file()


@pytest.mark.slow
def test_an_installation_has_no_module_called_train(installed, tmp_path):
    code = "import importlib.util as u; print([u.find_spec(n) for n in ('train', 'tests')])"
    assert run(installed / "python", "-c", code, cwd=tmp_path) == "[None, None]\n"
