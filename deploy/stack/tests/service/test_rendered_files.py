"""The unit, its environment file and the property list, each read by something else than what wrote it."""

import configparser
import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shim_stack.errors import BadConfiguration
from shim_stack.folder import DataFolder
from shim_stack.service.plist import home_in_plist, render_plist
from shim_stack.service.spec import ServiceSpec, service_spec
from shim_stack.service.unit import home_in_unit, render_environment, render_unit

ODD = '/ho me/50% of/it\'s $HOME/[a]*?/back\\slash/"q"/ü'
WRITABLE = st.text(st.characters(blacklist_categories=("Cc", "Cs")), min_size=1)


def spec(home: str = "/home/ann/shim", interpreter: str = "/opt/shim/bin/python", **environ: str) -> ServiceSpec:
    return ServiceSpec(interpreter, DataFolder(Path(home)), environ)


def parsed(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#", ";"))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


def plain(value: str) -> str:
    """What systemd takes a value without quotes for."""
    return value.replace("%%", "%")


def test_the_unit_says_what_it_must() -> None:
    unit = parsed(render_unit(spec()))
    said = unit["Service"]
    assert said["Type"] == "notify"
    assert said["ExecStart"] == '"/opt/shim/bin/python" "-P" "-m" "shim_stack.service"'
    assert said["Environment"] == '"SHIM_HOME=/home/ann/shim"'
    assert said["EnvironmentFile"] == "/home/ann/shim/service.env"
    assert said["StandardOutput"] == "append:/home/ann/shim/logs/runner.log"
    assert said["Restart"] == "on-failure"
    assert said["KillMode"] == "process"
    assert int(said["WatchdogSec"]) > 0
    assert said["RestartPreventExitStatus"] == "75"
    assert int(unit["Unit"]["StartLimitBurst"]) > 1
    # Five starts, each ended by the watchdog after its period and the wait, must fit: else the limit never holds.
    rounds = (int(said["WatchdogSec"]) + int(said["RestartSec"])) * int(unit["Unit"]["StartLimitBurst"])
    assert rounds < int(unit["Unit"]["StartLimitIntervalSec"])
    assert unit["Install"]["WantedBy"] == "default.target"


def test_the_unit_keeps_odd_paths_whole() -> None:
    said = parsed(render_unit(spec(ODD, "/o p/100%/python")))["Service"]
    assert shlex.split(plain(said["ExecStart"])) == ["/o p/100%/python", "-P", "-m", "shim_stack.service"]
    assert shlex.split(plain(said["Environment"])) == [f"SHIM_HOME={ODD}"]
    assert plain(said["StandardOutput"]) == f"append:{ODD}/logs/runner.log"


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash, which reads patterns as glob(3) does, is missing")
def test_the_name_of_the_environment_file_is_no_pattern(tmp_path: Path) -> None:
    home = tmp_path / "[ab] 5%*\\x"
    home.mkdir()
    (home / "service.env").touch()
    (tmp_path / "a 5%zz").mkdir()
    (tmp_path / "a 5%zz" / "service.env").touch()
    pattern = plain(parsed(render_unit(spec(str(home))))["Service"]["EnvironmentFile"])
    found = subprocess.run(["bash", "-c", 'compgen -G "$1"', "_", pattern], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [str(home / "service.env")]


@given(WRITABLE)
@example(ODD)
def test_the_unit_tells_its_home_again(name: str) -> None:
    home = Path("/") / name
    assert home_in_unit(render_unit(spec(str(home)))) == home


def test_a_unit_of_somebody_else_is_known() -> None:
    assert home_in_unit("[Service]\nExecStart=/usr/bin/shim\n") is None
    assert home_in_unit("no unit") is None


@pytest.mark.parametrize("character", ["'", '"', "\\", "$"])
def test_an_interpreter_that_systemd_cannot_run_is_refused(character: str) -> None:
    with pytest.raises(BadConfiguration, match="systemd cannot run"):
        render_unit(spec(interpreter=f"/opt/{character}/python"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", ["plain", "50% of a $HOME [x]"])
def test_systemd_accepts_the_unit(tmp_path: Path, name: str) -> None:
    interpreter = tmp_path / name.replace("$", "") / "python"
    interpreter.parent.mkdir()
    interpreter.symlink_to(sys.executable)
    unit = tmp_path / "shim.service"
    unit.write_text(render_unit(spec(str(tmp_path / name), str(interpreter))))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(unit)],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_would_name_a_fault(tmp_path: Path) -> None:
    unit = tmp_path / "shim.service"
    unit.write_text(render_unit(spec(interpreter=sys.executable)).replace("WatchdogSec=60", "WatchdogSec=never"))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(unit)],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert "never" in checked.stderr


def test_a_shell_reads_the_environment_file_as_it_was_meant(tmp_path: Path) -> None:
    odd = "postgres://a:p%40 $x`id`\"'\\\\@h/#d?x=1;y"
    file = tmp_path / "service.env"
    file.write_text(render_environment(spec(DATABASE_URL=odd, REDIS_URL="redis://h")))
    shown = subprocess.run(
        ["/bin/sh", "-c", f'. {file}; printf "%s\\n" "$DATABASE_URL" "$REDIS_URL"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines() == [odd, "redis://h"]


def test_the_property_list_says_what_it_must() -> None:
    said = plistlib.loads(render_plist(spec("/Users/ann/Library/Application Support/shim 5%", SHIM_BIND="127.0.0.1:9")))
    assert said["Label"] == "shim.stack"
    assert said["ProgramArguments"] == ["/opt/shim/bin/python", "-P", "-m", "shim_stack.service"]
    assert said["RunAtLoad"] is True
    assert said["KeepAlive"] == {"SuccessfulExit": False}
    assert said["ThrottleInterval"] >= 10
    assert said["EnvironmentVariables"] == {
        "SHIM_HOME": "/Users/ann/Library/Application Support/shim 5%",
        "SHIM_BIND": "127.0.0.1:9",
    }
    assert said["StandardErrorPath"] == "/Users/ann/Library/Application Support/shim 5%/logs/runner.log"


def test_the_property_list_tells_its_home_again() -> None:
    assert home_in_plist(render_plist(spec(ODD))) == Path(ODD)
    assert home_in_plist(plistlib.dumps({"Label": "shim.stack", "ProgramArguments": ["other"]})) is None
    assert home_in_plist(b"no property list") is None


def test_only_what_the_user_set_is_taken_along() -> None:
    environ = {"HOME": "/h", "PATH": "/p", "SHIM_HOME": "/d", "SHIM_KEY_FILE": "/k", "DATABASE_URL": "postgres://h"}
    wanted = service_spec(environ)
    assert wanted.folder.path == Path("/d")
    assert wanted.environ == {"DATABASE_URL": "postgres://h"}
    assert wanted.interpreter == sys.executable
    assert "postgres://h" not in repr(wanted)
    more = service_spec(environ, port=9000, split=True, keep=["PATH"])
    assert more.environ == {
        "DATABASE_URL": "postgres://h", "PATH": "/p", "SHIM_BIND": "127.0.0.1:9000", "SHIM_SPLIT": "1",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["MISSING", "A=B", ""])
def test_a_variable_that_cannot_be_kept_is_named(name: str) -> None:
    with pytest.raises(BadConfiguration, match="to keep"):
        service_spec({"A=B": "1", "": "1"}, keep=[name])


@pytest.mark.parametrize("value", ["/a\nExecStart=/bin/false", "/a\udcff"])
def test_what_would_break_the_file_is_refused(value: str) -> None:
    with pytest.raises(BadConfiguration, match="SHIM_HOME"):
        service_spec({"SHIM_HOME": value})
