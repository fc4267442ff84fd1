import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
import typer
from typer.testing import CliRunner

from shim_cli.api import sse_data
from shim_cli.main import ShimGroup, add_installed, application
from shim_cli.output import complain, plain, shown
from shim_common.kernel.errors import StorageFull


def greet(name: str) -> None:
    """Greet somebody."""
    if name == "full":
        raise StorageFull("the disk is full; free some space")
    typer.echo(f"hello {name}")


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that brings a command, a family of commands and a broken one."""
    module = ModuleType("shim_test_package")
    family = typer.Typer()
    family.command("one")(greet)
    family.command("two")(greet)
    vars(module).update(greet=greet, family=family)
    monkeypatch.setitem(sys.modules, "shim_test_package", module)


def run(name: str, value: str, *arguments: str) -> tuple[int, str, str]:
    app = typer.Typer(cls=ShimGroup)
    app.command("other")(greet)
    app.command("another")(greet)  # a single command would need no name
    add_installed(app, EntryPoint(name, value, "shim.commands"))
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_packages_add_functions_and_families(package: None) -> None:
    assert run("greet", "shim_test_package:greet", "greet", "ana") == (0, "hello ana\n", "")
    assert run("greet", "shim_test_package:family", "greet", "two", "ana") == (0, "hello ana\n", "")


def test_a_package_that_cannot_be_loaded_takes_only_its_own_command(
    package: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("greet", "shim_test_package:missing", "other", "ana")[:2] == (0, "hello ana\n")
    told = capsys.readouterr().err
    assert told.startswith("shim: the command 'greet' of shim_test_package:missing cannot be loaded")
    assert told.count("\n") == 1


def test_errors_of_added_commands_are_told_in_one_line(package: None) -> None:
    code, out, err = run("greet", "shim_test_package:greet", "greet", "full")
    assert (code, out, err) == (1, "", "shim: the disk is full; free some space\n")


def test_every_command_explains_itself(app: typer.Typer) -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout
    commands = ["connect", "disconnect", "sessions", "session", "checkpoints", "checkpoint", "restore", "resume"]
    commands += ["recovery", "keys", "events", "replay", "demo", "eval", "version"]
    for command in commands:
        assert f" {command} " in shown
        result = CliRunner().invoke(app, [command, "--help"])
        assert result.exit_code == 0
        assert "Usage:" in result.stdout


def test_a_misspelt_command_is_wrong_usage() -> None:
    assert CliRunner().invoke(application(), ["sesions"]).exit_code == 2


def test_an_error_is_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain("two\nlines and \x1b[31mcolour")
    assert capsys.readouterr().err == "shim: two lines and [31mcolour\n"


@pytest.mark.parametrize(("value", "text"), [(None, ""), (True, "yes"), (0.25, "0.25"), (["a", 1], "a\n1"), ("x", "x")])
def test_values_read_as_people_write(value: object, text: str) -> None:
    assert shown(value) == text


def test_control_characters_are_left_out() -> None:
    assert plain("a\tb\nc\x00\x1b\x7f\x9bd") == "a\tb\ncd"


def test_events_of_a_stream_are_cut_at_blank_lines() -> None:
    lines = [": comment", "", "id: 1", "data: {", "data:}", "", "data: cut off"]
    assert list(sse_data(iter(lines))) == ["{\n}"]
