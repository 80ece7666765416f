"""The house's measures: files, functions and signatures are short, and tests mirror the package."""

import ast
import itertools
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILE_LINES, FUNCTION_LINES = 400, 40
# What makes a layer, a model or an optimizer takes an architecture apart into keywords.
PARAMETERS, PARAMETERS_OF_LAYERS = 7, 9
SOURCES, TESTS = (
    sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    for folders in (("keras_bert", "train", "benchmarks"), ("tests",))
)
# Their parameters are those of the Keras method that they take the place of.
OF_KERAS = ("call", "compile", "fit", "evaluate", "update_state", "compute_loss")


def name_of(path):
    return str(path.relative_to(ROOT))


def functions_of(path):
    """Functions and methods of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def num_lines(function):
    """Lines from the first statement behind the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def parameters_of(function):
    arguments = function.args
    names = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument for argument in names if argument.arg not in ("self", "cls")]


def alike(function):
    """Pairs of neighbouring options, of one type, whose order could be mistaken."""
    arguments = function.args
    options = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    for one, other in itertools.pairwise(options):
        types = [a.annotation and ast.unparse(a.annotation) for a in (one, other)]
        if None not in types and len({kind.removesuffix(" | None") for kind in types}) == 1:
            yield f"{function.name}: {one.arg}, {other.arg}"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_are_short(path):
    num_lines_of_file = path.read_text().count("\n")
    assert num_lines_of_file <= FILE_LINES


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=name_of)
def test_functions_are_short(path):
    long = {f.name: num_lines(f) for f in functions_of(path) if num_lines(f) > FUNCTION_LINES}
    assert not long


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_signatures_are_short(path):
    long = {}
    for function in functions_of(path):
        count, name = len(parameters_of(function)), function.name
        most = PARAMETERS_OF_LAYERS if name == "__init__" else PARAMETERS
        if count > most and name not in OF_KERAS:
            long[name] = count
    assert not long


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_options_that_could_be_mistaken_are_given_by_name(path):
    assert not [pair for f in functions_of(path) if f.name not in OF_KERAS for pair in alike(f)]


@pytest.mark.parametrize(
    "path",
    [p for p in SOURCES if not p.name.startswith("__") and p.parts[-2] != "benchmarks"],
    ids=name_of,
)
def test_every_file_has_its_tests(path):
    folders = path.relative_to(ROOT).parts[:-1]
    folders = folders[1:] if folders[0] == "keras_bert" else folders
    assert ROOT.joinpath("tests", *folders, f"test_{path.name}").is_file()
