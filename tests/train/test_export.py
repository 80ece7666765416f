import dataclasses
import re

import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.exporting import litert, warmup
from keras_bert.lite import Lite
from train.export import Arguments, main


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, config, tokenizer):
    """A checkpoint of a classifier."""
    directory = tmp_path_factory.mktemp("checkpoints") / "sst2"
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    kb.save(kb.TextClassifier(encoder, kb.Packer(tokenizer, 23), ("bad", "fine")), directory)
    return str(directory)


def test_a_checkpoint_is_exported(checkpoint, tmp_path, capsys):
    output_dir = tmp_path / "saved_models" / "sst2"
    main(Arguments(checkpoint, str(output_dir), precision="bfloat16"))
    printed = capsys.readouterr().out
    assert f"{output_dir}/1: a TextClassifier in bfloat16, " in printed
    assert "  serving_default: sentence -> label, probability, probabilities\n" in printed
    assert "  It answered 8 warm-up requests.\n" in printed
    assert "  label: share of rows changed from float32 0\n" in printed
    assert "  probabilities: max absolute difference from float32 " in printed
    assert f"--model_base_path={tmp_path}/saved_models" in printed
    assert f"-v {output_dir}:/models/sst2 -e MODEL_NAME=sst2" in printed
    served = tf.saved_model.load(str(output_dir / "1")).signatures["serving_default"]
    wanted = kb.load(checkpoint).model(["a fine film"])[0]["probability"]
    [found] = served(sentence=tf.constant(["a fine film"]))["probability"].numpy()
    assert found == pytest.approx(wanted, abs=0.01)


def test_a_model_is_added_to_the_list_of_those_served(checkpoint, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(warmup, "BATCH_SIZES", (1,))
    path = tmp_path / "models.config"
    main(Arguments(checkpoint, str(tmp_path / "sst2"), models_config=str(path)))
    assert f"{path} has the model sst2." in capsys.readouterr().out
    assert 'base_path: "/models/sst2"' in path.read_text()


@pytest.fixture
def examples(tmp_path):
    path = tmp_path / "held_out.jsonl"
    path.write_text('{"sentence": "a fine film", "label": "fine"}\n' * 3)
    return str(path)


@pytest.mark.slow
def test_a_checkpoint_is_exported_for_litert_with_its_scores(
    checkpoint, examples, tmp_path, capsys
):
    output_dir = str(tmp_path / "lite")
    options = {"format": "litert", "precision": "int8", "sequence_length": 16}
    main(Arguments(checkpoint, output_dir, **options, eval_files=examples))
    printed = capsys.readouterr().out
    assert f"{output_dir}/1: a TextClassifier in int8, " in printed
    assert "  On one thread its rows, which are short, are not timed.\n" in printed
    [before, after] = re.search(r"  accuracy: (\S+) (\S+)", printed).groups()
    assert before == after and "Of 3 examples, before and after:" in printed
    assert f"Lite('{output_dir}') of keras_bert.lite" in printed
    assert "  probability: max absolute difference from float32 " in printed
    model = kb.load(checkpoint).model
    [wanted], [found] = model(["a fine film"]), Lite(output_dir)(["a fine film"])
    assert found["label"] == wanted["label"]


def test_what_is_for_litert_alone_is_refused_elsewhere(checkpoint, examples, tmp_path):
    output_dir = str(tmp_path / "mine")
    for options, said in (
        ({"eval_files": examples}, "--eval_files is for --format=litert"),
        ({"precision": "int8"}, "precision must be one of"),
        ({"format": "litert", "sequence_length": 99}, "at most the encoder's 23"),
    ):
        with pytest.raises(ValueError, match=said):
            main(Arguments(checkpoint, output_dir, **options))
    assert not (tmp_path / "mine").exists()


@pytest.mark.slow
def test_layers_that_stay_float32_are_named(checkpoint, examples, tmp_path, capsys, monkeypatch):
    found = ["bert/token", "bert/key"]
    monkeypatch.setattr(litert, "find_layers", lambda *_: found)
    options = {"format": "litert", "precision": "int8", "eval_files": examples}
    main(Arguments(checkpoint, str(tmp_path / "lite"), **options))
    printed = capsys.readouterr().out
    assert "  In float32, as the score needs them: bert/token, bert/key.\n" in printed
