"""Files of documents as a corpus reads them, whatever they are written as."""

import bz2
import gzip
import json
import lzma

import pytest

from keras_bert.data.pretraining import corpus as corpus_lib
from keras_bert.data.pretraining.corpus import TextCorpus
from keras_bert.data.pretraining.order import Order


def write(folder, **files):
    """Files name=text or bytes, as name.txt."""
    for name, text in files.items():
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        (folder / f"{name}.txt").write_bytes(data)
    return str(folder / "*.txt")


def sentences_of(corpus, **order):
    """[(sentence, document)] of an epoch."""
    order = {"shuffle": False, **order}
    found = []
    for block in corpus.blocks(Order(**order)).batch(3):
        split = corpus.split(block)
        strings = [string.decode("utf-8") for string in split.ids.numpy()]
        found += zip(strings, split.documents.numpy().tolist(), strict=True)
    return found


STORIES = ["One. Two\nthree.\n\nFour", "Five. Six"]


def lines_of_json(texts):
    return "".join(json.dumps({"url": "x", "text": text}) + "\n" for text in texts)


ARTICLES = "".join(
    f'<doc id="{i}" url="x" title="y">\n{text}\n\n</doc>\n' for i, text in enumerate(STORIES)
)
FOUND = [("One.", 0), (" Two", 0), ("three.", 0), ("Four", 0), ("Five.", 1), (" Six", 1)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c4.jsonl", lines_of_json(STORIES).encode()),
        ("c4.json.gz", gzip.compress(lines_of_json(STORIES).encode(), mtime=0)),
        # Blank lines and empty texts are no documents.
        ("c4.ndjson.xz", lzma.compress(lines_of_json(["", *STORIES, " "]).encode() + b"\n")),
        ("anything", lines_of_json(STORIES).encode()),
        ("wiki_00", ARTICLES.encode()),
        ("wiki_00.bz2", bz2.compress(ARTICLES.encode())),
    ],
)
@pytest.mark.parametrize("documents", ["files", "blank_lines"])
def test_objects_and_articles_are_documents(tmp_path, name, content, documents):
    (tmp_path / name).write_bytes(content)
    corpus = TextCorpus(str(tmp_path), documents)
    assert sentences_of(corpus) == FOUND
    assert corpus.num_documents == 2
    assert sorted(sentences_of(corpus, shuffle=True)) == sorted(FOUND)


def test_compressed_text_is_read_beside_plain_text_and_objects(tmp_path):
    write(tmp_path, a="\ufeffOne\ntwo.\n\nThree.\n")
    (tmp_path / "b.txt").write_bytes(bz2.compress(b"Four.\nfive\n"))
    whole = [("One two.", 0), ("Three.", 0), ("Four.", 1 << 32), ("five", 1 << 32)]
    joined = [*whole[:2], ("Four. five", 1 << 32)]
    assert sentences_of(TextCorpus(f"{tmp_path}/*.txt")) == joined
    (tmp_path / "c.jsonl").write_text(lines_of_json(STORIES))
    corpus = TextCorpus(f"{tmp_path}/[ac].*", "blank_lines")
    documents = [document for _, document in sentences_of(corpus)]
    assert documents == [0, 0, 1, *([1 << 32] * 4), (1 << 32) + 1, (1 << 32) + 1]
    assert corpus.num_documents == 4


def test_blocks_of_objects_are_bounded_and_repeat(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_lib, "BLOCK_BYTES", 200)
    for name in "ab":
        texts = [f"File {name} text {i}.\nIt is short." for i in range(40)]
        (tmp_path / f"{name}.jsonl").write_text(lines_of_json(texts))
    corpus = TextCorpus(tmp_path)
    one = sentences_of(corpus, shuffle=True, seed=3, epoch=1)
    assert one == sentences_of(corpus, shuffle=True, seed=3, epoch=1)
    assert one != sentences_of(corpus, shuffle=True, seed=3, epoch=2)
    assert sorted(one) == sorted(sentences_of(corpus)) and len(one) == 160
    assert len({document for _, document in one}) == corpus.num_documents == 80
    assert max(len(block["text"].numpy()) for block in corpus.blocks()) < 250


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"text": "a"}\n{"content": "b", "url": "c"}\n',
         r"a\.jsonl:2: .*under 'text', but this one has content, url: rename .*jq"),
        ("a.jsonl", '{"text": null}\n', r"a\.jsonl:1: .*has None"),
        ("a.jsonl", '{"text": "a"}\nprose\n', r"a\.jsonl:2: a line must be a JSON object"),
        ("a.json", '[{"text": "a"}]', r"a\.json:1: a JSON object .*is '\[.*"),
        ("a.json", '{\n"text": "a"}', r"a\.json:1: a line must be a JSON object.*jq -c"),
        # What the first line is, all are.
        ("a.txt", '{"text": "a"}\nprose\n', r"a\.txt:2: a line must be a JSON object"),
        ("a.csv", "text,label\na,b\n", r"a\.csv is a table, by its name: leave it out"),
        ("a.tsv.gz", "a\tb\n", r"a\.tsv\.gz is a table"),
        ("a.xml", "<mediawiki>\n", r"a\.xml is XML: .*WikiExtractor"),
        ("a.html", "<!DOCTYPE html>\n", r"a\.html must hold text, but is a web page"),
        ("a.txt", b"PK\x03\x04" + bytes(600), r"a\.txt must .* is a ZIP archive: unzip"),
    ],
)  # fmt: skip
def test_what_is_no_prose_is_refused(tmp_path, name, content, message):
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with pytest.raises(ValueError, match=message):
        TextCorpus(str(tmp_path / name))
