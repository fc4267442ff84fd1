import pytest

from shim_stack.errors import BadConfiguration
from shim_stack.own_stores import check_database, check_redis, without_password


async def test_stores_that_answer_are_taken(database_url: str, redis_url: str) -> None:
    assert int((await check_database(database_url)).split(".")[0]) >= 15
    assert (await check_redis(redis_url)).startswith("7.")


@pytest.mark.parametrize(
    "url", ["postgresql://me:secret@127.0.0.1:1/mine", "mysql://me:secret@127.0.0.1/mine", "nonsense"]
)
async def test_a_database_that_cannot_be_used_is_named(url: str) -> None:
    with pytest.raises(BadConfiguration, match="DATABASE_URL") as error:
        await check_database(url)
    assert "secret" not in str(error.value)


async def test_a_wrong_password_is_named_but_not_shown(database_url: str) -> None:
    with pytest.raises(BadConfiguration, match="password authentication failed") as error:
        await check_database(database_url.replace("shim:", "shim:secret"))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["redis://:secret@127.0.0.1:1/0", "http://127.0.0.1", "nonsense"])
async def test_a_redis_that_cannot_be_used_is_named(url: str) -> None:
    with pytest.raises(BadConfiguration, match="REDIS_URL") as error:
        await check_redis(url)
    assert "secret" not in str(error.value)


def test_a_password_is_not_shown() -> None:
    assert without_password("postgresql://me:secret@host:5432/mine?x=1") == "postgresql://host:5432/mine"
