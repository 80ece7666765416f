"""The client from a shell."""

import json
import os
import subprocess
import sys

import pytest

from keras_bert.serving.client.command import Arguments, main


def test_the_command(url, capsys):
    main(Arguments(url, "toy", text=("a fine film", "é"), label="stable"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["label"] for line in lines] == ["positive", "negative"]
    inputs = '{"sentence": ["é ü", {"b64": "YQ=="}]}'
    main(Arguments(url, "toy", inputs=inputs, signature="words"))
    assert capsys.readouterr().out.splitlines() == [
        '{"raw_bytes": {"b64": "w6kgw7w="}, "words": ["é", "ü"]}',
        '{"raw_bytes": {"b64": "YQ=="}, "words": ["a", ""]}',
    ]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "--text is for a model with a single text input"),
        ({"text": ("a",), "signature": "tokens"}, "text inputs \\[\\] and there are 1 texts"),
        ({"inputs": "{"}, "must be JSON"),
        ({"inputs": "7"}, "must be a JSON object, but is 7"),
        ({"text": ("a",), "version": 7}, "NOT_FOUND: "),
    ],
)
def test_the_command_says_what_is_wrong(url, arguments, message):
    with pytest.raises(ValueError, match=message):
        main(Arguments(url, "toy", **arguments))


def test_the_command_in_its_own_process(shared_server):
    command = [sys.executable, "-m", "keras_bert.serving.client", "--model=toy"]
    command += [f"--server=grpc://localhost:{shared_server.grpc_port}", "--text=a fine film"]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["label"] == "positive"
    assert "RuntimeWarning" not in done.stderr
