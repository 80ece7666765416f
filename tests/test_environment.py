import ast
import os
import pathlib
import platform
import runpy
import sys

import pytest

from keras_bert import environment

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("machine", "said", "expected"),
    [("x86_64", None, "1"), ("x86_64", "0", "0"), ("AMD64", None, "1"), ("aarch64", None, None)],
)
def test_onednn_is_on_where_nothing_else_was_said(monkeypatch, machine, said, expected):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if said is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", said)
    runpy.run_path(environment.__file__)
    assert os.environ.get("TF_ENABLE_ONEDNN_OPTS") == expected


@pytest.mark.parametrize(
    ("package", "first"),
    [
        ("keras_bert", "keras_bert.environment"),
        ("train", "keras_bert"),
        ("benchmarks", "keras_bert"),
    ],
)
def test_it_is_imported_before_tensorflow(package, first):
    body = ast.parse((ROOT / package / "__init__.py").read_text()).body
    modules = [
        f"{statement.module}.{alias.name}" if isinstance(statement, ast.ImportFrom) else alias.name
        for statement in body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for alias in statement.names
    ]
    assert next(name for name in modules if name not in sys.stdlib_module_names) == first
