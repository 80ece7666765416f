import json

import pytest

from keras_bert.data.pretraining import documentation


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        ("Too short to be of use.", []),
        (
            "Return the mean of the values\nalong an axis of the array.",
            ["Return the mean of the values along an axis of the array."],
        ),
        ("This one has no end and so it is a heading perhaps", []),
        (">>> print(the mean of the values along an axis).", []),
        ("a = 1; b = 2; c = f(a, b) + g(c) if d[0] else e.f.", []),
    ],
)
def test_prose_is_told_from_code(text, paragraphs):
    assert documentation.prose(text) == paragraphs


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A package of 60 modules, one of which cannot be parsed and one of which is a test."""
    source = tmp_path / "source"
    (source / "tests").mkdir(parents=True)
    for i in range(60):
        sentence = f"Module {'x' * (i + 1)} returns the mean of the values along an axis."
        (source / f"module_{i:02}.py").write_text(
            f'"""{sentence}"""\ndef f():\n    """Every module here says the very same thing."""\n'
        )
    (source / "template.py").write_text("def {{ name }}():")
    (source / "tests" / "test_it.py").write_text('"""A test says that it tests this and that."""')
    monkeypatch.setattr(
        documentation, "_packages", lambda: [("mine", documentation._docstrings(source))]
    )
    return tmp_path


def test_corpus_is_split_by_module_and_says_nothing_twice(packages):
    sizes = documentation.write_documentation(packages / "out")
    texts = {split: (packages / "out" / split / "mine.txt").read_text() for split in sizes}
    lines = [line for text in texts.values() for line in text.splitlines() if line]
    assert len(lines) == len(set(lines)) == 61
    assert sizes["train"].documents + sizes["eval"].documents == 60
    assert sizes["eval"].documents > 0
    for split, text in texts.items():
        assert text.count("\n\n") == sizes[split].documents - 1
        assert len(text.encode()) == sizes[split].bytes
    assert "tests this" not in texts["train"] + texts["eval"]


def test_examples_are_of_the_modules_of_their_split(packages):
    source = packages / "source"
    for path in source.glob("module_*.py"):
        path.write_text(
            f'def sort_{path.stem}(x):\n    """Sorts the values of {path.stem}.\n\n'
            f"    The order of equal values of {path.stem} stays as it was before the call.\n\n"
            f'    Args:\n        x: an array for {path.stem} to sort.\n    """\n'
        )
    sizes, seen = documentation.write_documentation(packages / "out"), set()
    for split, size in sizes.items():
        header, *lines = (packages / "out" / "parts" / f"{split}.tsv").read_text().splitlines()
        assert header == "sentence\tlabel" and len(lines) == size.parts == 2 * size.documents > 0
        kinds = [line.split("\t")[1] for line in lines]
        assert kinds.count("description") == kinds.count("argument") == size.documents
        file = packages / "out" / "descriptions" / f"{split}.jsonl"
        examples = [json.loads(line) for line in file.open()]
        assert len(examples) == size.descriptions == size.documents
        for example in examples:
            module = example["text"].split()[-1].rstrip(".")
            assert example["positive"].startswith(f"sort_{module}: The order of equal values")
            assert module not in seen and module in "".join(lines)
            seen.add(module)
    objects = (packages / "out" / "objects.txt").read_text().splitlines()
    assert len(objects) == len(seen) == 60
    assert all(line.startswith("sort_module_") and "Sorts the values" in line for line in objects)


def test_the_installed_packages_are_found():
    names = [name for name, _ in documentation._packages()]
    assert names == ["language_reference", "standard_library", "numpy", "keras", "tensorflow"]
