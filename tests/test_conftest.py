"""A test that is skipped is counted, and a run of all tests fails when too many are."""

import pathlib

import pytest

CONFTEST = pathlib.Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
MISSING = """
import pytest

@pytest.mark.reference("json", "there_is_no_such_package")
@pytest.mark.parametrize("number", range(3))
def test_compared(number):
    raise AssertionError("this needs a package that is not there")
"""
DATA = """
def test_of_data(shared):
    raise AssertionError("this needs data that is not there")
"""
WHOLE_MODULE = """
import pytest

pytest.importorskip("there_is_no_such_package")
"""
OF_ITS_OWN = """
import pytest

def test_that_vanishes():
    pytest.skip("it was slow")
"""


@pytest.fixture
def run(pytester):
    """Runs tests with this project's conftest: the exit status and what is printed."""

    def run(*sources, arguments=(), **budgets):
        pytester.makeconftest(CONFTEST)
        lines = [f"{name} = {number}" for name, number in budgets.items()]
        pytester.makeini("\n".join(["[pytest]", "markers = reference: x", *lines]))
        for number, source in enumerate(sources):
            pytester.makepyfile(**{f"test_{number}": source})
        result = pytester.runpytest_inprocess("-p", "no:xdist", *arguments)
        return result.ret, "\n".join(result.outlines)

    return run


def test_without_skips_all_is_well(run):
    status, printed = run("def test_it():\n    pass\n")
    assert status == 0 and "Skipped: none." in printed


def test_skips_within_their_budgets_are_one_line(run):
    status, printed = run(MISSING, DATA, skips_without_reference=3, skips_without_data=1)
    assert status == 0
    assert (
        "Skipped: 3 without the reference packages (at most 3), "
        "1 without the reference data (at most 1)."
    ) in printed


def test_one_skip_more_than_the_budget_fails_and_is_named(run):
    status, printed = run(MISSING, DATA, skips_without_reference=2, skips_without_data=1)
    assert status == 1
    assert "3 without the reference packages (at most 2)" in printed
    assert "More are skipped without the reference packages than pyproject.toml allows:" in printed
    assert "test_0.py::test_compared[2]: without the reference packages: there_is_no" in printed
    assert "More are skipped without the reference data" not in printed


@pytest.mark.parametrize("source", [WHOLE_MODULE, OF_ITS_OWN], ids=["module", "test"])
def test_a_skip_for_another_reason_has_no_budget(run, source):
    status, printed = run(source, DATA, skips_without_reference=9, skips_without_data=9)
    assert status == 1
    assert "1 for other reasons (at most 0)" in printed
    assert "  test_0.py" in printed


@pytest.mark.parametrize("arguments", [["test_0.py"], ["-k", "compared"]])
def test_a_run_of_some_tests_has_no_budget(run, arguments):
    status, printed = run(MISSING, OF_ITS_OWN, arguments=arguments)
    assert status == 0
    assert "3 without the reference packages (at most 0)" in printed


def test_where_its_packages_are_installed_a_comparison_runs(run):
    status, printed = run(MISSING.replace("there_is_no_such_package", "pathlib"))
    assert status == 1 and "3 failed" in printed


def test_what_is_expected_to_fail_is_not_skipped(run):
    source = "import pytest\n\n@pytest.mark.xfail\ndef test_it():\n    assert False\n"
    status, printed = run(source)
    assert status == 0 and "Skipped: none." in printed


def test_folders_of_long_tests_come_first(run, pytester):
    for name in ("layers", "tasks", "train"):
        (pytester.mkdir(name) / f"test_{name}.py").write_text("def test_it():\n    pass\n")
    status, printed = run("def test_it():\n    pass\n", arguments=("-v",))
    places = [printed.index(f"test_{name}.py::") for name in ("train", "tasks", "layers", "0")]
    assert status == 0 and places[0] < places[1] < min(places[2:])
