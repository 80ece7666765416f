"""Imports go down only: the floors of docs/design.md."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
FLOORS = {
    # The ground: the flags of a run are a file too.
    **dict.fromkeys(("files", "usage", "quiet", "registered"), -1),
    **dict.fromkeys(("environment", "config", "flags", "launching", "metrics", "lite"), 0),
    **dict.fromkeys(("flops", "text", "layers", "training", "serving"), 1),
    **dict.fromkeys(("data", "models"), 2),
    "tasks": 3,
    **dict.fromkeys(("answering", "checkpoints"), 4),
    **dict.fromkeys(("explain", "exporting", "finetuning", "pretraining", "searching"), 5),
    **dict.fromkeys(("train", "benchmarks", "command", "__main__"), 6),
}
# Folders of the same floor may not see each other, and these see less than their floor allows.
ALLOWED = {
    "flops": {"config"},
    "text": {"files", "lite"},
    "layers": set(),
    "training": {"files", "flags", "launching"},
    "serving": {"files", "flags", "lite"},
    "lite": set(),
    "data": {"files", "text"},
    "models": {"config", "metrics", "layers", "training"},
}
MODULES = sorted(
    path
    for folder in ("keras_bert", "train", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if path != ROOT / "keras_bert" / "__init__.py" and "keras_bert/train" not in path.as_posix()
)


def part_of(path):
    """The folder, or the file at the top, that a module belongs to."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "keras_bert" else parts[0]


def imported(path):
    """Names of all modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # The binaries are a package of two names.
            assert node.level == 0 or part_of(path) == "train", f"{path}: a relative import"
            if (
                node.level == 0 and node.module == "keras_bert"
            ):  # of a module; of anything else it is not a floor
                yield from (f"keras_bert.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    own = part_of(path)
    ours = {
        (name.split(".")[1:] or ["keras_bert"])[0]
        for name in imported(path)
        if name.split(".")[0] == "keras_bert"
    } - {own}
    if FLOORS[own] < 6:
        assert "keras_bert" not in ours, "import the module, not the package"
        assert all(FLOORS[name] < FLOORS[own] for name in ours)
    if own in ALLOWED:
        assert ours <= ALLOWED[own]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_interfaces_only(path):
    private = ("keras.src", "tensorflow.python")
    assert not [name for name in imported(path) if name.startswith(private)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_library_neither_prints_nor_reads_flags(path):
    if FLOORS[part_of(path)] == 6 or path.name == "flags.py":
        return
    names = {
        node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)
    }
    assert not names & {"print", "FLAGS"}


@pytest.mark.parametrize("path", sorted((ROOT / "train").glob("*.py")), ids=lambda p: p.stem)
def test_binaries_reach_into_what_is_imported(path):
    """`kb.part.module.name` is there if the part itself imports the module, else by chance."""
    text = re.sub(r":\s*kb\.[\w.]+", "", path.read_text())  # annotations are never looked up
    for part, module in re.findall(r"\bkb\.([a-z_]+)\.([a-z_]+)\.", text):
        own = ROOT / "keras_bert" / part / "__init__.py"
        imports = rf"keras_bert\.{part}(\.{module} import| import .*\b{module}\b)"
        assert re.search(imports, own.read_text()), f"kb.{part}.{module}"
