"""Check 2: what can be reached from elsewhere is encrypted, or its network is declared to be private."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shim_common.kernel.clock import ManualClock
from shim_common.kernel.errors import Forbidden
from shim_gateway.app import create_app
from shim_gateway.settings import Settings

STORES = {"database_url": "postgresql://nowhere", "redis_url": "redis://nowhere"}
EXPOSED = ("0.0.0.0:7446", "[::]:7446", "192.0.2.7:7446", "shim.example:7446", "127.0.0.1.example:7446", ":7446")
LOOPBACK = ("127.0.0.1:7446", "127.9.9.9:7446", "[::1]:7446", "localhost:7446")


def settings(bind: str, **more: object) -> Settings:
    return Settings.model_validate({"bind": bind, **STORES, **more})


@pytest.mark.parametrize("bind", EXPOSED)
def test_02_an_exposed_address_without_encryption_is_refused(bind: str) -> None:
    with pytest.raises(Forbidden, match="SHIM_TLS_CERTIFICATE") as refused:
        settings(bind).check_exposure()
    assert refused.value.problem_code == "exposed"


@pytest.mark.parametrize("bind", LOOPBACK)
def test_02_loopback_needs_no_encryption(bind: str) -> None:
    settings(bind).check_exposure()


@pytest.mark.parametrize(
    "half", [{"tls_certificate": Path("cert.pem")}, {"tls_key": Path("key.pem")}], ids=["no key", "no certificate"]
)
def test_02_half_of_what_encryption_needs_is_refused(half: dict[str, Path]) -> None:
    with pytest.raises(Forbidden):
        settings(EXPOSED[0], **half).check_exposure()


def test_02_an_exposed_address_with_encryption_is_taken() -> None:
    settings(EXPOSED[0], tls_certificate=Path("cert.pem"), tls_key=Path("key.pem")).check_exposure()


def test_02_a_declared_trusted_network_is_taken(clock: ManualClock, tmp_path: Path) -> None:
    app = create_app(settings(EXPOSED[0], trusted_network=True, home=tmp_path), clock)
    assert callable(app)


def test_02_the_application_itself_refuses(clock: ManualClock, tmp_path: Path) -> None:
    with pytest.raises(Forbidden):
        create_app(settings(EXPOSED[0], home=tmp_path), clock)
    assert list(tmp_path.iterdir()) == []


def test_02_the_process_ends_with_the_reason(tmp_path: Path) -> None:
    names = {"SHIM_BIND": EXPOSED[0], "SHIM_HOME": str(tmp_path), "DATABASE_URL": "x://", "REDIS_URL": "redis://x"}
    command = [sys.executable, "-m", "shim_gateway"]
    ended = subprocess.run(command, env=os.environ | names, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("0.0.0.0 can be reached from other machines")
