import pytest

import keras_bert as kb


def test_embeddings_have_a_width_of_their_own():
    with pytest.raises(ValueError, match="embedding_dim must be a whole number"):
        kb.ElectraConfig(embedding_dim=0)
    projected = {name: kb.ElectraConfig.preset(name).is_projected for name in ("small", "base")}
    assert projected == {"small": True, "base": False}
