import re

import pytest

from keras_bert.data.paths import has_files, matching_files, parts_of


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return [str(folder / name) for name in names]


def test_files_are_paths_globs_folders_and_lists_of_them(tmp_path):
    files = write(tmp_path, "a[1].tsv", "b/2.tsv", "b/c/3.tsv")
    assert matching_files(f"{tmp_path}/b, {files[0]}") == files
    assert matching_files([tmp_path / "b", tmp_path / "*.tsv", files[0]]) == files
    assert matching_files(tmp_path) == files


def test_commas_of_names_part_nothing(tmp_path):
    files = write(tmp_path, "a, b.tsv", "a", "c,d/e.tsv", "f.txt")
    assert parts_of(f"{files[0]},{files[1]}, {tmp_path}/c,d,{files[3]}") == [
        *(files[0], files[1], f"{tmp_path}/c,d", files[3])
    ]
    assert matching_files(f"{tmp_path}/c,d") == [files[2]]
    assert parts_of(f"pos={files[0]},neg={files[3]}") == [f"pos={files[0]}", f"neg={files[3]}"]
    assert parts_of(" a , ,b,") == ["a", "b"]
    assert has_files(files[0]) and not has_files(f"{tmp_path}/nothing*")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "{}/train.tvs",
            "'{}/train.tvs' matches none .*Near to it are 'train.tsv'",
        ),
        ("{}/trian.tsv", "Near to it are 'train.tsv'"),
        ("{}/datas/train.tsv", "There is no folder '{}/datas'"),
        ("{}/train.tsv,{}/x", "'{}/x' matches none"),
        ("{}/empty", "'{}/empty' matches none .*It is an empty folder"),
        ("{}/*.csv", "quote a pattern so that the shell"),
        ("", "must name them"),
    ],
)
def test_what_is_not_there_is_told_with_what_is_near(tmp_path, pattern, message):
    write(tmp_path, "train.tsv", "data/train.tsv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message.replace("{}", re.escape(str(tmp_path)))):
        matching_files(pattern.replace("{}", str(tmp_path)))
