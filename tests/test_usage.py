"""Help by groups, flagfiles by name, and errors that say what was meant."""

import dataclasses
import pathlib
from typing import Literal

import pytest
from absl import flags as absl_flags

from keras_bert import flags, usage
from train import finetune, learn_vocabulary, pretrain

ROOT = pathlib.Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """How files are read."""

    form: Literal["tsv", "csv"] | None = flags.flag(None, "form of the files")
    repair: bool = flags.flag(False, "mend tags")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Reading):
    checkpoint: str = flags.required("checkpoint directory")
    learning_rate: float = flags.flag(2e-5, "peak of the schedule")
    num_epochs: int = flags.flag(3000, "passes " * 30)
    texts: tuple[str, ...] = flags.flag(("a", "b"), "may be repeated")


PROGRAM = usage.Program("keras-bert learn", "Learns.\n\n    keras-bert learn --x\n", ROOT)


def test_help_shows_every_flag_once_and_in_its_group(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = usage.help_of(PROGRAM, Arguments).splitlines()
    assert lines[:3] == ["Learns.", "", "    keras-bert learn --x"]
    assert "Usage: keras-bert learn --checkpoint=TEXT [--flag=value ...]" in lines
    shown = [line.split()[0] for line in lines if line.startswith("  --")]
    names = ["--checkpoint=TEXT", "--learning_rate=X", "--num_epochs=N", "--texts=TEXT"]
    assert shown[:6] == [*names, "--form=tsv|csv", "--[no]repair"]
    assert lines.index("How files are read:") < lines.index(
        "  --form=tsv|csv                form of the files"
    )
    said = " ".join("\n".join(lines).split())
    for expected in (
        "checkpoint directory (required)",
        "schedule (default: 2e-05)",
        "passes (default: 3,000)",
        "may be repeated (default: a b)",
        "--[no]repair mend tags",
    ):
        assert expected in said, expected
    assert max(map(len, lines)) <= 80


def test_a_flag_that_is_long_has_a_line_of_its_own():
    @dataclasses.dataclass
    class Long:
        kind: Literal["one_of_a_kind", "another_of_a_kind"] = flags.flag("one_of_a_kind", "which")

    lines = usage.help_of(PROGRAM, Long).splitlines()
    place = lines.index("  --kind=one_of_a_kind|another_of_a_kind")
    assert lines[place + 1].strip() == "which (default: one_of_a_kind)"
    assert "Flags:" in lines  # which it has no other word for


def parse(*argv, recipes=ROOT / "train" / "recipes", arguments_type=Arguments):
    values = absl_flags.FlagValues()
    flags.define(arguments_type, values)
    rest = usage.parse(["keras-bert", *argv], recipes, values)
    return flags.read(arguments_type, values), rest[1:]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--lr=1",), "There is no flag --lr: here it is --learning_rate"),
        (("--model_name_or_path=x",), "--model_name_or_path: here it is --checkpoint"),
        (("--num_epoch=1",), "There is no flag --num_epoch: here it is --num_epochs"),
        (("--zzz=1",), "There is no flag --zzz: see --help"),
        (("--max_length=1",), "There is no flag --max_length: see --help"),  # not of this binary
        (("--learning_rate=1e-3",), "--checkpoint must be given"),
        (("--checkpoint=x", "--num_epochs=1.5"), "--num_epochs=1.5: .*: correct it"),
        (("--checkpoint=x", "--form=xls"), "--form=xls: value should be one of <tsv|csv>"),
        (("--checkpoint",), "Missing value for flag --checkpoint"),
        (("--flagfile",), "given as --flagfile=FILE"),
        (("--flagfile=bert",), "there is no bert; the recipes are bert.flags, bert_base.flags"),
    ],
)
def test_what_is_wrong_is_told_with_what_was_meant(argv, message):
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        parse(*argv)


def test_flagfiles_are_found_beside_the_one_that_names_them_and_by_name(tmp_path, monkeypatch):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "all.flags").write_text("# of all\n--num_epochs=5\n\n// too\n--repair")
    (tmp_path / "recipes" / "one.flags").write_text("--flagfile=all.flags\n--learning_rate=1e-3")
    (tmp_path / "here.flags").write_text("--flagfile=one.flags\n--num_epochs=7\n--checkpoint=x\n")
    monkeypatch.chdir(tmp_path)
    given = "--flagfile=here.flags", "--learning_rate=1", "left", "--", "--flagfile=none"
    arguments, rest = parse(*given, recipes=tmp_path / "recipes")
    assert arguments == Arguments(checkpoint="x", learning_rate=1.0, num_epochs=7, repair=True)
    assert rest == ["left", "--flagfile=none"]


def test_a_recipe_means_the_one_beside_it(tmp_path, monkeypatch):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "one.flags").write_text("--flagfile=all.flags\n")
    (tmp_path / "recipes" / "all.flags").write_text("--num_epochs=5\n")
    (tmp_path / "all.flags").write_text("--num_epochs=7\n")
    monkeypatch.chdir(tmp_path)
    arguments, _ = parse("--checkpoint=x", "--flagfile=one.flags", recipes=tmp_path / "recipes")
    assert arguments.num_epochs == 5


def test_flagfiles_that_name_each_other_are_refused(tmp_path):
    (tmp_path / "a.flags").write_text("--flagfile=b.flags\n")
    (tmp_path / "b.flags").write_text("--flagfile=a.flags\n")
    with pytest.raises(ValueError, match="b.flags must not name .*a.flags, which names it"):
        parse(f"--flagfile={tmp_path}/a.flags")


def test_hints_lead_to_flags_that_there_are():
    known = {
        field.name
        for module in (finetune, learn_vocabulary, pretrain)
        for field in dataclasses.fields(module.Arguments)
    }
    assert set(usage.OTHER_NAMES.values()) <= known
