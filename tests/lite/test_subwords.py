from keras_bert.lite.subwords import Piece, read_lines, whole


def test_only_a_newline_ends_a_line(tmp_path):
    (tmp_path / "vocab.txt").write_bytes("a\n\u2028\r\n\nb".encode())
    assert read_lines(tmp_path / "vocab.txt") == ["a", "\u2028\r", "", "b"]


def test_pieces_are_moved():
    assert Piece(7, 0, 2).moved(5) == Piece(7, 5, 7)


def test_halves_of_characters_are_no_text():
    texts = ("plain", "caf\u00e9", "\udc00!")
    assert [whole(text) for text in texts] == ["plain", "caf\u00e9", "?!"]
