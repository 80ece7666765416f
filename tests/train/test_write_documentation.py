import pytest

from keras_bert.data.pretraining import documentation


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Modules in place of all that are installed, which take a minute to read."""
    source = tmp_path / "source"
    source.mkdir()
    for i in range(40):
        sentence = f"Module {'x' * (i + 1)} returns the mean of the values along an axis."
        (source / f"module_{i:02}.py").write_text(f'"""{sentence}"""\n')
    documents = [("mine", documentation._docstrings(source))]
    monkeypatch.setattr(documentation, "_packages", lambda: documents)


def test_a_corpus_is_written_and_told(modules, tmp_path, call):
    printed = call("write_documentation", f"--output_dir={tmp_path}/new/corpus")
    texts = [(tmp_path / "new" / "corpus" / s / "mine.txt").read_text() for s in ("train", "eval")]
    for split, text in zip(("train", "eval"), texts, strict=True):
        told = f"{tmp_path}/new/corpus/{split}: {text.count('Module')} documents"
        assert told in printed
    assert "".join(texts).count("Module") == 40
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["corpus"]


def test_a_corpus_is_not_written_over(tmp_path, run):
    """By a process of its own: a refusal is a message and status 1."""
    error = run("write_documentation", f"--output_dir={tmp_path}", code=1)
    assert error.strip().endswith(
        f"output_dir must be new, but {tmp_path} is there: delete it first."
    )
    assert "Error: " in error and "Traceback" not in error
