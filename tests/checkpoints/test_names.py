from keras_bert.checkpoints.names import Names, WeightName, dense, head, norm, table


def test_a_layer_has_a_name_for_each_of_its_weights():
    kernel, bias = dense("in", "net.in", "net/in", width_out="intermediate_dim")
    assert kernel == WeightName(
        "in/kernel", "net.in.weight", "net/in/kernel", ("hub",), ("hidden_dim", "intermediate_dim")
    )
    assert bias == WeightName("in/bias", "net.in.bias", "net/in/bias", (), ("intermediate_dim",))
    scale, offset = norm("norm", "net.norm", "net/norm")
    assert (scale.ours, scale.hub, scale.google) == (
        "norm/gamma",
        "net.norm.weight",
        "net/norm/gamma",
    )
    assert (offset.ours, offset.hub, offset.google) == (
        "norm/beta",
        "net.norm.bias",
        "net/norm/beta",
    )
    assert scale.shape == offset.shape == ("hidden_dim",)


def test_a_head_is_stored_the_other_way_round_in_both_forms():
    kernel, bias = head("span", "outputs", "squad/output")
    assert kernel.transposed_in == ("google", "hub")
    assert (kernel.google, bias.google) == ("squad/output_weights", "squad/output_bias")
    assert (kernel.shape, bias.shape) == (("hidden_dim", None), (None,))


def test_where_google_has_no_such_model_there_is_no_name():
    names = [*dense("a", "b"), *norm("c", "d"), *head("e", "f")]
    assert [name.google for name in names] == [""] * 6


def test_all_names_are_found_by_ours():
    names = Names(
        (table("tokens", "emb", "", "vocabulary_size"),), dense("pool", "p"), head("h", "h")
    )
    assert list(names.all()) == [
        "tokens/embeddings",
        "pool/kernel",
        "pool/bias",
        "h/kernel",
        "h/bias",
    ]
