from keras_bert.lite.added_tokens import Finder, longest_first, pattern_of
from keras_bert.lite.subwords import Piece


def characters_of(text):
    return [Piece(0, i, i + 1) for i in range(len(text))]


def found(finder, text):
    return [piece for piece in finder.around(text, characters_of) if piece.id]


def test_the_longer_one_is_found_and_the_rest_is_cut():
    finder = Finder({"<e>": 7, "<e>s": 8})
    assert finder.around("a<e>s<e>", characters_of) == [
        *(Piece(0, 0, 1), Piece(8, 1, 5), Piece(7, 5, 8))
    ]
    assert Finder({}).around("ab", characters_of) == characters_of("ab")


def test_a_single_word_stands_alone():
    finder = Finder({"cat": 7}, ["cat"], apart="\u4e2d")
    assert found(finder, "cats cat \u4e2dcat \u00e9cat") == [Piece(7, 5, 8), Piece(7, 10, 13)]


def test_spaces_are_of_any_kind_where_that_is_asked():
    assert found(Finder({"q x": 7}, any_space=True), "q\u3000x q x") == [
        *(Piece(7, 0, 3), Piece(7, 4, 7))
    ]
    assert found(Finder({"q x": 7}), "q\u3000x") == []


def test_spaces_beside_belong_to_those_that_strip_them():
    finder = Finder({"<e>": 7, "<f>": 8}, lstrip=["<e>"], rstrip=["<f>"])
    assert found(finder, "a \t<e> b <f> \n<e>") == [
        *(Piece(7, 1, 6), Piece(8, 9, 14), Piece(7, 14, 17))
    ]


def test_what_takes_spaces_before_it_is_found_after_the_others():
    either = pattern_of(["a b", "c"], beside="_", space="~", lstrip=["c"], rstrip=["a b"])
    assert either == "a~b_*|c|_+c"
    assert longest_first({"c": 1, "ab": 2, "b": 3}) == ["ab", "b", "c"]
