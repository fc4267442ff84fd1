"""No secret survives, whatever it stands in and however it arrives."""

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from shim_common.redaction import StreamRedactor, redact_json, redact_text

_LONGEST_PIECE = 11


def survivors(canaries: list[Any], redact: Callable[[str], str]) -> list[str]:
    """Return the families of which a piece of a secret is still readable."""
    return [canary.family for canary in canaries if _readable(canary.parts, redact(canary.text))]


def _readable(parts: tuple[str, ...], text: str) -> bool:
    return any(
        part[at : at + _LONGEST_PIECE] in text for part in parts for at in range(max(1, len(part) - _LONGEST_PIECE + 1))
    )


def test_corpus_is_as_broad_as_it_claims(canaries: list[Any]) -> None:
    assert len(canaries) >= 500
    assert len({canary.family for canary in canaries}) >= 180
    assert survivors(canaries, lambda text: text) == [canary.family for canary in canaries]


@pytest.mark.parametrize(
    "surround",
    [
        pytest.param(lambda secret: secret, id="alone"),
        pytest.param(lambda secret: f"Use this: {secret} and go on.", id="prose"),
        pytest.param(lambda secret: f"first line\n{secret}\nlast line", id="line"),
        pytest.param(lambda secret: f"see `{secret}`, thanks", id="markdown"),
        pytest.param(lambda secret: f"\x1b[32m{secret}\x1b[0m", id="terminal colours"),
        pytest.param(lambda secret: f"ключ — {secret} — 鍵", id="other scripts"),
        pytest.param(lambda secret: json.dumps({"note": secret}), id="json"),
        pytest.param(lambda secret: json.dumps({"output": f"a\n{secret}\nb"}), id="json after escaped newline"),
        pytest.param(lambda secret: json.dumps(json.dumps({"output": f"a\t{secret}\tb"})), id="json in json"),
        pytest.param(lambda secret: json.dumps(json.dumps(json.dumps([secret]))), id="json in json in json"),
        pytest.param(lambda secret: "\n".join(f"{n:6}\t{x}" for n, x in enumerate(secret.split("\n"))), id="cat -n"),
        pytest.param(lambda secret: "\n".join(f"{n:6}→{x}" for n, x in enumerate(secret.split("\n"))), id="read tool"),
        pytest.param(lambda secret: "\n".join(f"-{line}" for line in secret.split("\n")), id="diff"),
        pytest.param(lambda secret: "\n".join(f"    {line}" for line in secret.split("\n")), id="indented"),
    ],
)
def test_no_secret_survives_in(surround: Callable[[str], str], canaries: list[Any]) -> None:
    assert survivors(canaries, lambda text: redact_text(surround(text)).text) == []


@pytest.mark.parametrize(
    "surround",
    [
        pytest.param(lambda secret: f'client = Client("{secret}")', id="code"),
        pytest.param(lambda secret: f"VALUE={secret}\nOTHER=1\n", id="env file"),
        pytest.param(lambda secret: f"https://shop.test/?q={quote(secret, safe='')}&page=2", id="url"),
        pytest.param(lambda secret: f"docker run -e A={secret} -e B='{secret}' image", id="command"),
        pytest.param(lambda secret: f"a,b,c\n1,{secret},2\n", id="csv"),
        pytest.param(lambda secret: f"<value>{secret}</value>", id="xml"),
        pytest.param(lambda secret: f"({secret})[{secret}]{{{secret}}}", id="brackets"),
    ],
)
def test_a_secret_known_by_its_format_does_not_survive_in(
    surround: Callable[[str], str], format_canaries: list[Any]
) -> None:
    assert survivors(format_canaries, lambda text: redact_text(surround(text)).text) == []


def test_no_secret_survives_as_a_json_value(canaries: list[Any]) -> None:
    def redact(text: str) -> str:
        value = {"content": [{"type": "text", "text": text}, {"input": {"command": text}}]}
        return json.dumps(redact_json(value).value, ensure_ascii=False)

    assert survivors(canaries, redact) == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 1000])
def test_no_secret_survives_a_split_into_chunks_of(size: int, canaries: list[Any]) -> None:
    def redact(text: str) -> str:
        stream = StreamRedactor()
        text = f"before\n{text}\nafter"
        chunks = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
        return "".join((*chunks, stream.flush()))

    assert survivors(canaries, redact) == []


def test_glued_secrets_leave_no_rest(format_canaries: list[Any]) -> None:
    telling = ("shim", "github", "gitlab-pat", "anthropic", "openai", "slack-bot", "stripe", "npm", "pypi", "shopify")
    glued = [canary for canary in format_canaries if canary.family.startswith(telling)]
    assert len(glued) >= 60
    assert survivors(glued, lambda text: redact_text(text * 3).text) == []


def test_a_key_whose_end_was_cut_off_does_not_survive(key_canaries: list[Any]) -> None:
    for lines in (2, 5, 9):
        cut = [canary._replace(text="\n".join(canary.text.split("\n")[:lines])) for canary in key_canaries]
        cut = [canary._replace(parts=canary.parts[: lines - 1]) for canary in cut]
        assert survivors(cut, lambda text: redact_text(f"$ head key.pem\n{text}\n").text) == []


def test_a_key_with_attributes_or_in_putty_format_does_not_survive(key_canaries: list[Any]) -> None:
    attributes = "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n\n"
    armoured = [canary._replace(text=canary.text.replace("\n", attributes, 1)) for canary in key_canaries]
    assert survivors(armoured, lambda text: redact_text(text).text) == []
    putty = [
        canary._replace(text="\n".join(["Private-Lines: 13", *canary.parts, "Private-MAC: 00"]))
        for canary in key_canaries
    ]
    assert survivors(putty, lambda text: redact_text(text).text) == []


def test_named_fields_of_json_need_no_recognisable_form() -> None:
    rng = random.Random(4)
    secret = "".join(rng.choice("abcdefghjkmnp23456789") for _ in range(16))
    value = {
        "env": {"DB_PASSWORD": secret, "AWS_REGION": "eu-central-1"},
        "environment": [{"name": "SESSION_SECRET", "value": secret}, {"name": "PORT", "value": "8080"}],
        "headers": {"X-Api-Key": secret, "Accept": "text/html"},
        "tokens": ["the", "quick"],
        "api_keys": [secret],
        "usage": {"input_tokens": 12, "output_tokens": 7},
    }
    redacted = redact_json(value)
    assert secret not in json.dumps(redacted.value)
    assert len(redacted.findings) == 4
    assert isinstance(redacted.value, dict)
    assert redacted.value["tokens"] == ["the", "quick"]
    assert redacted.value["usage"] == value["usage"]
