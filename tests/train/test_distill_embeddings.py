"""A table of vectors as a person makes and uses it."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer, encoder_of, drawn):
    """A model of sentence embeddings, and texts."""
    folder = tmp_path_factory.mktemp("table")
    task = kb.SentenceEmbedder(encoder_of("Bert", num_layers=1), kb.Packer(tokenizer, 9))
    kb.save(drawn(task), folder / "teacher")
    (folder / "texts.txt").write_text("the quick fox\n\na lazy dog\n\na fine film\n")
    return folder


def test_a_table_is_distilled_and_searched(folder, call, without_graphs):
    said = call(
        "distill_embeddings",
        *(f"--checkpoint={folder}/teacher", f"--output_dir={folder}/table", "--dimensions=6"),
        f"--frequency_files={folder}/texts.txt",
    )
    assert "vectors of 6, 582 numbers in place of" in said and "times as many" in said
    found = call(
        "search",
        *(f"--checkpoint={folder}/table", f"--documents={folder}/texts.txt", "--num_hits=1"),
        "--query=dog lazy a",
    )
    assert "1.000" in found and "a lazy dog" in found


@pytest.mark.slow
def test_the_exported_table_embeds_as_the_checkpoint(folder, call):
    if not (folder / "table").exists():
        kb.save(kb.static_embedder(kb.load(folder / "teacher").model, 6), folder / "table")
    call("export", f"--checkpoint={folder}/table", f"--output_dir={folder}/served")
    served = tf.saved_model.load(str(folder / "served" / "1")).signatures["serving_default"]
    texts = ["the quick fox", "film"]
    wanted = kb.load(folder / "table").model.embed(texts)
    np.testing.assert_allclose(served(text=tf.constant(texts))["embedding"], wanted, atol=1e-6)
