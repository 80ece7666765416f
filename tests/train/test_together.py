"""Which members the flags name; what they answer is tested with `evaluate`."""

from train import together


def test_the_path_of_one_checkpoint_may_have_a_comma(tmp_path, parsed):
    (tmp_path / "a,b").mkdir()
    for given, wanted in (("a,b", ["a,b"]), ("a, c.jsonl", ["a", "c.jsonl"])):
        names = ", ".join(f"{tmp_path}/{name}" for name in given.split(", "))
        arguments = parsed("predict", f"--checkpoint={names}", "--text=a")
        paths = together.paths_of(arguments)
        assert [path.removeprefix(f"{tmp_path}/") for path in paths] == wanted
