"""The notebooks: run in order, what they show is kept, small, and of these cells."""

import importlib.util
import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
MOST_BYTES = 200_000
# What the words between the cells say, of the variables that these leave.
SAID = {
    "1_pretraining": "history['val_accuracy'][-1] > 1.5 * share",
    "2_fine_tuning": "accuracy > most_frequent + 0.1 and num_same == len(served)",
    "3_search": "after > 1.5 * before and before > 1 / len(rests)",
}


def code_cells(path):
    return [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_shows_is_kept_and_small(path):
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {
        "stream",
        "display_data",
        "execute_result",
    }
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert path.stat().st_size < MOST_BYTES
    text = path.read_text("utf-8")
    assert not [word for word in ("/home/", "/tmp/", "/root/", str(ROOT), "stderr") if word in text]


def test_all_notebooks_are_linked():
    for page, folder in (("README.md", "docs/"), ("docs/index.md", ""), ("mkdocs.yml", "")):
        text = (ROOT / page).read_text("utf-8")
        assert all(f"{folder}notebooks/{path.name}" in text for path in NOTEBOOKS)


@pytest.mark.slow
def test_the_notebooks_run_and_what_they_say_holds(tmp_path):
    spec = importlib.util.spec_from_file_location("docs_notebooks", ROOT / "docs" / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.NOTEBOOKS == NOTEBOOKS and {path.stem for path in NOTEBOOKS} == set(SAID)
    for path in NOTEBOOKS:
        notebook = module.read(path)
        shown = [bool(c.outputs) for c in notebook.cells if c.cell_type == "code"]
        notebook.cells.append(module.nbformat.v4.new_code_cell(f"assert {SAID[path.stem]}"))
        *cells, _ = [c for c in module.executed(notebook, tmp_path).cells if c.cell_type == "code"]
        assert [bool(c.outputs) for c in cells] == shown
