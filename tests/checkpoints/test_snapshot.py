"""A directory's files are one model's, whoever saves meanwhile and whenever a process is killed."""

import multiprocessing
import os
import pathlib
import sys
import threading

import pytest

from keras_bert import files
from keras_bert.checkpoints import snapshot as module
from keras_bert.checkpoints.snapshot import Snapshot, replaced

NAMES = ("a.txt", "b.txt", "folder/c.txt")
STALE = ("old.txt", "notes/old.txt")


def save(directory, mark: str, names=NAMES, stale=STALE) -> None:
    with replaced(directory, stale) as staging:
        for name in names:
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_text(mark * 3000)


def marks(directory) -> set[str]:
    """What a reader finds: the marks of all files, which must be one."""
    while True:
        with Snapshot(directory) as snapshot:
            if not snapshot.is_current():
                continue
            snapshot.check_sums()
            names = snapshot.checksums or [name for name in NAMES if snapshot.has(name)]
            return {snapshot.read(name).decode()[0] for name in names}


def all_files(directory) -> list[str]:
    return sorted(p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file())


def test_the_new_files_replace_the_old_and_the_stale_ones(tmp_path):
    for name in ("mine.txt", "old.txt"):
        (tmp_path / name).write_text("x")
    save(tmp_path, "1")
    save(tmp_path, "2", ("a.txt",))
    assert all_files(tmp_path) == ["a.txt", "checksums.json", "mine.txt"]
    assert not (tmp_path / "folder").exists()
    assert marks(tmp_path) == {"2"}


def test_what_the_checksums_do_not_name_is_none_of_the_models(tmp_path):
    save(tmp_path, "1")
    (tmp_path / "later.txt").write_text("x")
    with Snapshot(tmp_path) as snapshot:
        assert snapshot.has("a.txt") and not snapshot.has("later.txt")
    (tmp_path / "checksums.json").unlink()
    with Snapshot(tmp_path) as snapshot:
        assert snapshot.has("later.txt") and not snapshot.has("nowhere.txt")


# All that changes files; between two of these a process may be killed at any line.
EVENTS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "open")


def kill_at(number: int, directory) -> bool:
    """Saves in a process that ends before it does a thing; whether it came to that one."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    done = []

    def hook(event, arguments):
        reads = event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in EVENTS and not reads:
            done.append(event)
            if len(done) > number:
                os._exit(9)

    sys.addaudithook(hook)
    save(directory, "2", ("a.txt", "new/d.txt"))
    os._exit(0)


def test_killed_at_any_line_the_directory_holds_one_whole_model(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # it costs more than all the rest
    number, seen, killed = 0, [], True
    while killed:
        directory = tmp_path / str(number)
        save(directory, "1")
        killed = kill_at(number, directory)
        [mark] = marks(directory)
        seen.append(mark)
        save(directory, "3")
        assert marks(directory) == {"3"}
        assert all_files(directory) == ["a.txt", "b.txt", "checksums.json", "folder/c.txt"]
        number += 1
    assert seen == sorted(seen) and set(seen) == {"1", "2"} and number > 20


def write_in_turns(directory: pathlib.Path, started, stop, failures) -> None:
    started.set()
    for i in range(100_000):
        if stop.is_set():
            return
        try:
            save(directory, str(i % 2))
        except Exception as error:
            failures.put(repr(error))


def test_a_reader_beside_a_writer_finds_one_model_and_never_disturbs_it(tmp_path):
    save(tmp_path, "0")
    started, stop = threading.Event(), threading.Event()
    failures = multiprocessing.SimpleQueue()
    arguments = (tmp_path, started, stop, failures)
    writer = threading.Thread(target=write_in_turns, args=arguments)
    writer.start()
    started.wait()
    try:
        found = [marks(tmp_path)]
        # A writer that waits for the disk may be slower than many readers.
        while len(found) < 300 or len(set().union(*found)) < 2:
            assert writer.is_alive()
            found.append(marks(tmp_path))
    finally:
        stop.set()
        writer.join()
    assert all(len(one) == 1 for one in found) and set().union(*found) == {"0", "1"}
    assert failures.empty()


def test_a_first_saving_beside_a_reader_is_seen(tmp_path):
    """A directory of another library has no checksums."""
    (tmp_path / "a.txt").write_text("0")
    with Snapshot(tmp_path) as snapshot:
        assert snapshot.read("a.txt") == b"0" and snapshot.is_current()
        save(tmp_path, "1")
        assert not snapshot.is_current()


def test_a_second_writer_is_refused(tmp_path):
    with (
        replaced(tmp_path) as staging,
        pytest.raises(ValueError, match="Another process is saving in"),
    ):
        (staging / "a.txt").write_text("1")
        save(tmp_path, "2")


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_files_and_nothing_else(tmp_path, failure):
    save(tmp_path, "1")
    with pytest.raises(type(failure)), replaced(tmp_path) as staging:
        (staging / "a.txt").write_text("half")
        raise failure
    assert all_files(tmp_path) == ["a.txt", "b.txt", "checksums.json", "folder/c.txt"]
    assert marks(tmp_path) == {"1"}


def test_a_full_disk_is_told_with_the_directory(tmp_path):
    with (
        pytest.raises(OSError, match="No space left on device") as error,
        replaced(tmp_path) as staging,
    ):
        (staging / "a.txt").symlink_to("/dev/full")
        (staging / "a.txt").write_text("1")
    assert files.reason(error.value) == (
        f"{tmp_path}: no space left on device: make space on the disk."
    )
    assert not list(tmp_path.iterdir())


def test_links_of_a_stranger_lead_nowhere(tmp_path):
    """Nothing outside is read into the model's place, replaced or removed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "c.txt").write_text("mine")
    for name, links in {
        "folder": {"folder": outside},
        "written": {".written": outside, ".writing": outside},
        "stale": {"notes": outside},
        "inside written": {".written/folder": outside, "folder": outside},
    }.items():
        directory = tmp_path / name
        (directory / ".written").mkdir(parents=True)
        for link, target in links.items():
            if (directory / link).is_dir():
                (directory / link).rmdir()
            (directory / link).symlink_to(target)
        if (directory / ".written").is_dir() and not (directory / ".written").is_symlink():
            sums = '{"folder/c.txt": "0", "notes/c.txt": "0"}'
            (directory / ".written" / "checksums.json").write_text(sums)
        before = all_files(directory)
        with Snapshot(directory) as snapshot:
            snapshot.is_current()
        assert all_files(directory) == before
        save(directory, "1", stale=("notes/c.txt",))
        assert marks(directory) == {"1"}
        assert all_files(outside) == ["c.txt"] and (outside / "c.txt").read_text() == "mine"


def test_a_directory_may_itself_be_reached_by_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    save(tmp_path / "link", "1")
    save(tmp_path / "link", "2")
    assert marks(tmp_path / "real") == {"2"} and (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    "name", ["../a", "/etc/passwd", "a/../b", "a/b/c", ".hidden", "a//b", "", "a\0b"]
)
def test_checksums_name_files_of_the_directory(tmp_path, name):
    (tmp_path / "checksums.json").write_text(f'{{"{name}": "0"}}'.replace("\0", "\\u0000"))
    with pytest.raises(ValueError, match=r"checksums.json must give the SHA-256 of files in its"):
        Snapshot(tmp_path)


@pytest.mark.parametrize("content", ["[]", "{", '{"a": 5}', "[" * 100_000])
def test_malformed_checksums(tmp_path, content):
    (tmp_path / "checksums.json").write_text(content)
    with pytest.raises(ValueError, match=r"checksums.json must"):
        Snapshot(tmp_path)


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    with Snapshot(tmp_path) as snapshot:
        assert not snapshot.has("a.txt")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with open(tmp_path / "a.txt", "wb") as file:
        file.truncate(module.MAX_BYTES + 1)
    with Snapshot(tmp_path) as snapshot, pytest.raises(ValueError, match="must have at most"):
        snapshot.read("a.txt")


def test_files_have_the_mode_of_any_other(tmp_path):
    (tmp_path / "other").write_text("")
    save(tmp_path, "1")
    modes = {path.stat().st_mode for path in tmp_path.glob("*") if path.is_file()}
    assert len(modes) == 1


def test_what_a_reader_changes_no_other_sees(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    with Snapshot(tmp_path) as snapshot:
        snapshot.json("a.json")["a"] = 2
        assert snapshot.json("a.json") == {"a": 1} and snapshot.json_if_there("b.json") == {}
