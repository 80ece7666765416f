"""Runs the notebooks of docs/notebooks, one after the other, and writes what they show into them.

`make notebooks`. Each goes on with the files that those before it have left in a common folder.
"""

import os
import pathlib
import tempfile
import time

import nbclient
import nbformat

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(pathlib.Path(__file__).with_suffix("").glob("*.ipynb"))


def read(path: pathlib.Path) -> nbformat.NotebookNode:
    """A notebook from its file."""
    return nbformat.read(path, as_version=4)


def executed(notebook: nbformat.NotebookNode, folder: pathlib.Path) -> nbformat.NotebookNode:
    """A notebook with what its cells show when they are run in a folder.

    Args:
        notebook: the notebook, whose cells are changed.
        folder: path of the folder, with the files of the notebooks before it.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell fails; the message shows it.
    """
    client = nbclient.NotebookClient(
        notebook,
        record_timing=False,
        startup_timeout=300,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(kept, cell.outputs) if output is not None]
    return notebook


def kept(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """An output without what is of this machine, libraries' logs and bars; None if that is all."""
    if output.output_type != "stream":
        return output
    lines = output.text.splitlines(keepends=True)
    own = [line for line in lines if "\x1b" not in line and not line.startswith("INFO:")]
    output.text = "".join(own).lstrip("\n")
    return output if output.text and output.name == "stdout" else None


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for path in NOTEBOOKS:
            start = time.monotonic()
            nbformat.write(executed(read(path), pathlib.Path(folder)), path)
            print(f"{path.name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
