"""Files that are there whole or not at all, whoever else writes and whenever a process ends."""

import errno
import multiprocessing
import os
import pathlib

import pytest

from keras_bert import files


def hold(path: str, held, release) -> None:
    with files.lock(path, "training here"):
        held.set()
        release.wait(60)


def test_a_lock_keeps_other_processes_out_and_ends_with_its_own(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    process = context.Process(target=hold, args=(str(tmp_path / "run" / ".lock"), held, release))
    process.start()
    assert held.wait(60)
    with (
        pytest.raises(ValueError, match="Another process is training here: wait"),
        files.lock(tmp_path / "run" / ".lock", "training here"),
    ):
        pass
    process.kill()
    process.join()
    with files.lock(tmp_path / "run" / ".lock", "training here"):
        pass


def test_a_file_is_replaced_whole_with_the_mode_of_any_other(tmp_path):
    path, other = tmp_path / "new" / "a.txt", tmp_path / "other.txt"
    other.write_text("")
    for text in ("first", "second, longer"):
        with files.whole_file(path) as staging:
            staging.write_text(text)
        assert path.read_text() == text
    assert path.stat().st_mode == other.stat().st_mode
    assert [one.name for one in path.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(failure)), files.whole_file(path) as staging:
        staging.write_text("half")
        raise failure
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(type(failure)), files.whole_folder(tmp_path / "b") as staging:
        (staging / "part").write_text("half")
        raise failure
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_cleared(tmp_path):
    (tmp_path / ".writing-a.txt").write_text("half, and longer than what comes")
    with files.whole_file(tmp_path / "a.txt") as staging:
        staging.write_text("whole")
    left = tmp_path / ".writing-b"
    (left / "deep").mkdir(parents=True)
    (left / "part").write_text("half")
    (left / "link").symlink_to(tmp_path)
    with files.whole_folder(tmp_path / "b") as staging:
        (staging / "other").write_text("whole")
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == {
        *("a.txt", "b", "b/other"),
    }
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_a_folder_that_is_there_is_not_replaced(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "old").write_text("")
    with pytest.raises(OSError), files.whole_folder(tmp_path / "b") as staging:
        (staging / "new").write_text("")
    assert [path.name for path in tmp_path.rglob("*")] == ["b", "old"]


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    with files.whole_file(tmp_path / "a.txt") as staging:
        staging.write_text("first")
        with (
            pytest.raises(ValueError, match="writing .*a.txt"),
            files.whole_file(tmp_path / "a.txt"),
        ):
            pass
    assert (tmp_path / "a.txt").read_text() == "first"


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "x/y: no space left on device: make space on the disk."),
        (errno.EROFS, "x/y: read-only file system: choose a place that can be written to."),
        (errno.EIO, "x/y: input/output error: see to it, and run the same command again."),
    ],
)
def test_an_error_of_the_system_is_one_sentence(number, sentence):
    error = OSError(number, os.strerror(number), pathlib.Path("x/y"))
    assert files.reason(error) == sentence


def test_an_error_without_number_or_path_is_said_as_it_is():
    assert files.reason(OSError("Cannot seek")).startswith("cannot seek: ")


@pytest.mark.parametrize("whole", [files.whole_file, files.whole_folder])
def test_what_the_system_says_of_writing_has_a_path(tmp_path, whole):
    with pytest.raises(OSError) as error, whole(tmp_path / "a"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as of a file that is open
    assert files.reason(error.value).startswith(f"{tmp_path}/a: no space left on device")
    assert not list(tmp_path.iterdir())


def test_sums_are_those_of_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert files.sha256(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")
