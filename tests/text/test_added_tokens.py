"""Added tokens: one piece wherever a text spells them, as `tokenizers` finds them."""

import random

import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.exporting.operations import NEWER_OPERATIONS, TEXT_OPERATIONS
from keras_bert.text.added_tokens import AddedToken, Finder


def tokenizer_with(vocabulary, *tokens: AddedToken, lowercase: bool = True) -> kb.Tokenizer:
    return kb.Tokenizer(vocabulary, lowercase, added_tokens=tokens)


def pieces(tokenizer: kb.Tokenizer, text: str) -> list[str]:
    return [piece.decode() for piece in tokenizer.tokens(tokenizer.tokenize(text)).numpy()]


def spans(tokenizer: kb.Tokenizer, text: str) -> list[str]:
    _, starts, ends = tokenizer.tokenize_with_offsets(text)
    return [text[a:b] for a, b in zip(starts.numpy(), ends.numpy(), strict=True)]


def test_new_tokens_get_the_ids_after_the_vocabulary_and_known_ones_keep_theirs(vocabulary):
    tokenizer = tokenizer_with(vocabulary, AddedToken("<e>"), AddedToken("the"), AddedToken("</e>"))
    assert tokenizer.vocabulary == (*vocabulary, "<e>", "</e>")
    assert (tokenizer.vocabulary_size, tokenizer.num_word_pieces) == (99, 97)
    ids = tokenizer.tokenize(["the <e>fox</e>", ""]).to_list()
    the, fox = vocabulary.index("the"), vocabulary.index("fox")
    assert ids == [[the, 97, fox, 98], []]
    assert tokenizer.detokenize(ids[:1]).numpy().tolist() == [b"the <e> fox </e>"]
    assert tokenizer.starts_word(ids[0]).numpy().all()


@pytest.mark.parametrize(
    ("token", "text", "expected"),
    [
        (AddedToken("<E>"), "<E>fox", ["<E>", "fox"]),
        (AddedToken("<E>"), "<e>fox", ["[UNK]", "e", "[UNK]", "fox"]),
        (AddedToken("<E>", normalized=True), "<e>fox<E>", ["<E>", "fox", "<E>"]),
        (AddedToken("Fo"), "Fox fox", ["Fo", "x", "fox"]),
        (AddedToken("fo"), "Fox", ["fox"]),
        (AddedToken("fo", normalized=True), "Fox", ["fo", "x"]),
        (AddedToken("fo", normalized=True, single_word=True), "Fox fo,", ["fox", "fo", ","]),
        (AddedToken("fo", single_word=True), "fofo fo", ["f", "##o", "##f", "##o", "fo"]),
        (AddedToken("x y"), "x y x\ty", ["x y", "x", "y"]),
        (AddedToken("x y", normalized=True), "x y X\u00a0y", ["x y", "x y"]),
        (AddedToken("öx", normalized=True), "OX O\u0308X", ["öx", "öx"]),
        (AddedToken("##fo"), "##fox", ["##fo", "x"]),
        (AddedToken("<e>", lstrip=True, rstrip=True), "a  <e>  b", ["a", "<e>", "b"]),
        (AddedToken("[CLS]"), "[CLS]", ["[", "c", "##l", "##s", "]"]),
    ],
    ids=str,
)
def test_what_a_token_is_found_in(vocabulary, token, text, expected):
    assert pieces(tokenizer_with(vocabulary, token), text) == expected


def test_of_two_tokens_the_longer_is_meant(vocabulary):
    tokenizer = tokenizer_with(vocabulary, AddedToken("<a>"), AddedToken("<a>.*"))
    assert pieces(tokenizer, "<a>.*<a>b") == ["<a>.*", "<a>", "b"]


def test_no_word_is_cut_into_an_added_token(vocabulary):
    """Its spelling alone is looked for: in capitals it is a word like any other."""
    tokenizer = tokenizer_with(vocabulary, AddedToken("zebra"))
    assert pieces(tokenizer, "zebra") == ["zebra"]
    assert pieces(tokenizer, "ZEBRA") == ["z", *(f"##{letter}" for letter in "ebra")]


def test_offsets_are_of_the_text_as_it_came(vocabulary):
    tokens = (AddedToken("<é>"), AddedToken("öZ", normalized=True))
    tokenizer = tokenizer_with(vocabulary, *tokens)
    text = "Cafe\u0301 <é>\u200b fox\0<é>O\u0308Z, ÖZ"
    assert pieces(tokenizer, text)[4:] == ["<é>", "fox", "<é>", "öZ", ",", "öZ"]
    assert spans(tokenizer, text)[3:] == ["e\u0301", "<é>", "fox", "<é>", "O\u0308Z", ",", "ÖZ"]
    _, starts, ends = tokenizer.tokenize_with_offsets(b"\xff<\xc3\xa9>\xfea")
    assert (starts.numpy().tolist(), ends.numpy().tolist()) == ([0, 3], [3, 4])


def test_special_tokens_may_be_asked_for_besides(vocabulary):
    tokenizer = tokenizer_with(vocabulary, AddedToken("<e>"))
    ids = tokenizer.tokenize("<e> [MASK]", special_tokens=("[MASK]",))
    assert ids.numpy().tolist() == [97, 4]


def test_its_operations_are_those_of_every_server(vocabulary):
    tokenizer = tokenizer_with(
        vocabulary, AddedToken("<e>"), AddedToken("fo", normalized=True, single_word=True)
    )
    serve = tf.function(
        tokenizer.tokenize_with_offsets, [tf.TensorSpec([None], tf.string)], autograph=False
    )
    definition = serve.get_concrete_function().graph.as_graph_def()
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    functions = {function.signature.name for function in definition.library.function}
    used = {node.op for node in nodes} - functions
    assert {name for name in used if not hasattr(tf.raw_ops, name)} <= TEXT_OPERATIONS
    assert not used & NEWER_OPERATIONS
    texts = ["a<e>Fox", "", "Fo<e>"]
    assert serve(tf.constant(texts))[0].to_list() == tokenizer.tokenize(texts).to_list()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"content": ""}, "An added token must be a text of one line"),
        ({"content": "a\nb"}, "An added token must be a text of one line"),
        ({"content": 5}, "An added token must be a text of one line"),
        ({"content": "a", "normalized": "no"}, "normalized of the added token 'a' must be true"),
    ],
)
def test_what_is_no_token_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AddedToken(**arguments)


def test_spaces_alone_are_no_word(vocabulary):
    with pytest.raises(ValueError, match=r"more than spaces, .* but \['  '\] has none"):
        tokenizer_with(vocabulary, AddedToken("  "))


def cut(finder, text, unit="UTF8_CHAR"):
    """The parts of a text that a finder takes for tokens, and their spaces on both sides."""

    def nothing(parts):
        none = tf.zeros_like(tf.strings.length(parts), tf.int64)
        return (tf.RaggedTensor.from_row_lengths(tf.constant([], tf.int64), none),) * 5

    rows = finder.around(tf.constant([text]), nothing, unit)
    return list(zip(*(row.to_list()[0] for row in rows), strict=True))


def test_tokens_may_take_the_spaces_beside_them():
    finder = Finder({"<m>": 7, "<e>": 8, "<x>": 9}, lstrip=["<m>"], rstrip=["<e>"])
    assert cut(finder, "a \u3000<m> <e>\n\t<m> <x>\0") == [
        (7, 1, 6, 2, 0),
        (8, 7, 12, 0, 2),
        (7, 12, 15, 0, 0),
        (9, 16, 19, 0, 0),
    ]


def test_a_token_of_which_normalization_leaves_nothing_is_refused(vocabulary):
    with pytest.raises(ValueError, match="normalization leaves nothing"):
        tokenizer_with(vocabulary, AddedToken("\u0301", normalized=True))


SPELLINGS = ("<e>", "</e>", "Covid", "new York", "Öl", "fox", "中国", "<e>x", "##fo", "the", "_u")
BITS = (*SPELLINGS, " ", "\u00a0", "COVID", "NEW\tYORK", "中", "_", "0", ",", "O\u0308L", "un")


@pytest.mark.reference("tokenizers")
def test_finds_the_tokens_that_tokenizers_finds(vocabulary):
    import tokenizers as theirs

    rng = random.Random(3)
    for lowercase in (True, False):
        tokens = [
            AddedToken(text, *(rng.random() < 0.5 for _ in range(5)))
            for text in rng.sample(SPELLINGS, 7)
        ]
        ids = {piece: id_ for id_, piece in enumerate(vocabulary)}
        model = theirs.models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=200)
        reference = theirs.Tokenizer(model)
        reference.normalizer = theirs.normalizers.BertNormalizer(lowercase=lowercase)
        reference.pre_tokenizer = theirs.pre_tokenizers.BertPreTokenizer()
        for token in tokens:
            options = {**vars(token)}
            reference.add_tokens([theirs.AddedToken(options.pop("content"), **options)])
        texts = ["".join(rng.choices(BITS, k=rng.randint(0, 9))) for _ in range(200)]
        ours = tokenizer_with(vocabulary, *tokens, lowercase=lowercase)
        encoded = reference.encode_batch(texts, add_special_tokens=False)
        assert ours.tokenize(texts).to_list() == [one.ids for one in encoded]
