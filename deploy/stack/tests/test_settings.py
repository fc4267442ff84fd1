import pytest

from shim_common.settings import DEFAULT_PORT
from shim_stack.errors import BadConfiguration
from shim_stack.folder import DataFolder
from shim_stack.record import RunRecord
from shim_stack.settings import stack_settings

LAST = RunRecord(port=9000)


@pytest.fixture
def environ(folder: DataFolder) -> dict[str, str]:
    folder.open()
    return {"SHIM_HOME": str(folder.path)}


def test_the_port_is_chosen_in_order(folder: DataFolder, environ: dict[str, str]) -> None:
    assert stack_settings(environ, RunRecord()).port == DEFAULT_PORT
    assert stack_settings(environ, LAST).port == 9000
    folder.configuration.write_text("port = 9001\n")
    assert stack_settings(environ, LAST).port == 9001
    chosen = stack_settings(environ | {"SHIM_BIND": "127.0.0.1:9002"}, LAST)
    assert chosen.url == "http://127.0.0.1:9002"


@pytest.mark.parametrize("bind", ["127.0.0.1:http", "127.0.0.1:0", "127.0.0.1:65536"])
def test_a_port_that_is_none_is_an_error(environ: dict[str, str], bind: str) -> None:
    with pytest.raises(BadConfiguration, match="SHIM_BIND"):
        stack_settings(environ | {"SHIM_BIND": bind}, RunRecord())


@pytest.mark.parametrize("text", ["port = ", "port = 'x'", "port = 0", "\x00"])
def test_a_damaged_configuration_is_an_error(folder: DataFolder, environ: dict[str, str], text: str) -> None:
    folder.configuration.write_text(text)
    with pytest.raises(BadConfiguration, match=r"config\.toml"):
        stack_settings(environ, RunRecord())


def test_an_empty_address_is_none(environ: dict[str, str]) -> None:
    settings = stack_settings(environ | {"DATABASE_URL": "", "REDIS_URL": ""}, RunRecord())
    assert settings.database_url is None
    assert settings.redis_url is None
