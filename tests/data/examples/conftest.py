"""What tests of readers share: a file to read, and where rows came from."""

import json

import pytest


@pytest.fixture
def write(tmp_path):
    """Writes a file of text, of bytes, or of what JSON holds; gives its path."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def sources(tmp_path):
    """Where rows came from, without the folder."""
    return lambda rows: [row.source.removeprefix(f"{tmp_path}/") for row in rows]
