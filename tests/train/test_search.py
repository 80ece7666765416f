"""Searching as a person does it."""

import dataclasses
import io
import json
import pathlib

import pytest

import keras_bert as kb
from train import search


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, config):
    """A folder with a checkpoint and texts."""
    folder = tmp_path_factory.mktemp("search")
    small = dataclasses.replace(config, num_layers=1, initializer_range=0.3)
    kb.save(kb.SentenceEmbedder(kb.BertEncoder(small), kb.Packer(tokenizer, 23)), folder / "mine")
    (folder / "texts").mkdir()
    (folder / "texts" / "a.txt").write_text(
        f"the fine\nfilm\n\nthe lazy dog\n\n{'quick fox ' * 99}"
    )
    (folder / "queries.txt").write_text("dog\nfine film\n")
    return folder


@pytest.fixture
def flags(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return ("--checkpoint=mine", "--documents=texts", "--num_hits=1")


def test_queries_find_passages(folder, flags, call, without_graphs):
    long = ("quick fox " * 99).strip()
    given = ("--query=the lazy dog", f"--query={long}", "--index=kept.npz")
    said = call("search", *flags, *given).splitlines()
    assert said[:3] == ["the lazy dog", "  1.000  texts/a.txt:4", "         the lazy dog"]
    assert said[3] == long and len(said[5]) == 9 + search.SHOWN + 3
    assert call("search", *flags, *given).splitlines() == said
    call("predict", "--checkpoint=mine", "--text=film", "--text=dog", "--output_file=v.npz")
    found = call("search", flags[0], "--documents=v.npz", "--num_hits=1", "--query=dog")
    assert found.splitlines()[1:] == ["  1.000  [1]", "         dog"]


def test_queries_are_read_from_files_and_what_is_piped_in(flags, call, monkeypatch, without_graphs):
    written = call("search", *flags, "--query_files=queries.txt", "--output_file=hits.jsonl")
    assert written == "hits.jsonl: 2 hits.\n"
    hits = [json.loads(line) for line in pathlib.Path("hits.jsonl").read_text().splitlines()]
    assert [(hit["query"], hit["rank"]) for hit in hits] == [("dog", 1), ("fine film", 1)]
    pathlib.Path("queries.jsonl").write_text('{"query": "dog"}\n{"query": "fox"}\n')
    assert call("search", *flags, "--query_files=queries.jsonl").startswith("dog\n  0.")
    pathlib.Path("two.csv").write_text("id,query\n1,dog\n")
    with pytest.raises(ValueError, match="two.csv:2: a query must stand under 'text'"):
        call("search", *flags, "--query_files=two.csv")
    monkeypatch.setattr(search, "is_typed", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO("dog\n\nfox\n"))
    said = call("search", *flags).splitlines()
    assert said[0].startswith("Type what") and sum("texts/a.txt" in line for line in said) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--documents=texts --query=a --query_files=b", "Give --query, as often"),
        ("--documents=texts --query=a --num_hits=0", "--num_hits must be at least 1"),
        ("--documents=-", "cannot both be piped in"),
        ("--documents=a.npy --query=a --index=b.npz", "is vectors: leave out --index"),
        ("--documents=texts --query=a --output_file=a.npy", "is a table, but is a.npy"),
        ("--documents=texts --query=a --output_file=a.xls", "ends in '.xls'"),
        ("--documents=texts --query=a --index=a.npy", r"is a\.npy: name it \.npz"),
    ],
)
def test_what_makes_no_sense_is_refused_first(given, message, call):
    with pytest.raises(ValueError, match=message):
        call("search", "--checkpoint=nowhere", *given.split())


def test_vectors_are_kept_in_fewer_bytes(flags, call, without_graphs):
    given = ("--query=lazy dog", "--precision=binary", "--dimensions=16", "--index=few.npz")
    said = call("search", *flags, *given).splitlines()
    assert said[0].startswith("binary: 6 bytes, 192 in float32, recall@10 ")
    assert said[1] == "lazy dog" and "texts/a.txt" in said[2]
    assert call("search", *flags, *given).splitlines() == said
