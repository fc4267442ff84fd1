"""What is no secret stays as it is."""

import gzip
import json
import random
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shim_common.redaction import redact_json, redact_text

_REPOSITORY = Path(__file__).parents[4]
_TRANSCRIPTS = _REPOSITORY.parent / "shared" / "data" / "transcripts"
_SAMPLE_FILES = 6
_SAMPLE_CHARACTERS = 2_000_000
_MOST_FINDINGS_PER_MB = 0.5

_RNG = random.Random()


def _drawn(alphabet: str, count: int) -> str:
    return "".join(_RNG.choice(alphabet) for _ in range(count))


def _hex(count: int) -> str:
    return _drawn("0123456789abcdef", count)


def _base62(count: int) -> str:
    return _drawn(string.ascii_letters + string.digits, count)


def _uuid() -> str:
    return f"{_hex(8)}-{_hex(4)}-{_hex(4)}-{_hex(4)}-{_hex(12)}"


ORDINARY = {
    "git commit": lambda: f"commit {_hex(40)}\nAuthor: Bob\n\n    Merge {_hex(7)}",
    "uuid": lambda: f'"sessionId": "{_uuid()}", "uuid": "{_uuid()}"',
    "tool use id": lambda: f'{{"type": "tool_use", "id": "toolu_{_base62(24)}"}}',
    "message id": lambda: f'"id": "msg_{_base62(24)}", "request_id": "req_{_base62(24)}"',
    "thinking signature": lambda: f'"signature": "{_base62(200)}=="',
    "image": lambda: f'"media_type": "image/png", "data": "{_base62(4000)}"',
    "sha256": lambda: f"sha256:{_hex(64)}  file.tar.gz\n{_hex(64)} *other",
    "npm lock": lambda: f'"integrity": "sha512-{_base62(86)}==", "resolved": "https://registry/x/-/x-1.2.3.tgz"',
    "uv lock": lambda: f'{{ url = "https://files/a/{_hex(60)}/x.whl", hash = "sha256:{_hex(64)}" }}',
    "etag": lambda: f'ETag: W/"{_hex(32)}"\nCache-Key: {_hex(32)}',
    "cache key": lambda: f'"cache_key": "{_hex(40)}", "idempotency_key": "{_uuid()}"',
    "public key": lambda: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{_base62(48)} bob@host",
    "certificate": lambda: f"-----BEGIN CERTIFICATE-----\n{_base62(64)}\n{_base62(64)}\n-----END CERTIFICATE-----",
    "usage": lambda: '"input_tokens": 14, "cache_read_input_tokens": 20123, "max_tokens": 32000',
    "SHIM ids": lambda: f"ses_{_base62(22)} ckp_{_base62(22)} tsk_{_base62(22)}",
    "public token": lambda: f"nextPageToken={_base62(30)}&csrf_token={_base62(30)}",
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_identifiers_and_digests_stay(kind: str) -> None:
    _RNG.seed(kind)
    for _ in range(20):
        text = ORDINARY[kind]()
        assert redact_text(text) == (text, ())


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer <your-token>",
        "Authorization: Bearer ${TOKEN}",
        "curl -H 'Authorization: Bearer $SHIM_KEY'",
        "export ANTHROPIC_API_KEY=sk-ant-xxxxxxxxxxxxxxxxxxxxxxxx",
        "OPENAI_API_KEY=your-api-key-here",
        "password = os.environ['DB_PASSWORD']",
        "password: str = Field(min_length=12)",
        "const password = await promptForPassword2(user);",
        'if token == "" { return errNoToken1 }',
        "api_key = settings.providers[0].api_key_v2",
        "token = self._read_token_from_file_v2(path)",
        'secret: "<secret>"',
        "postgres://user:password@localhost/db",
        "postgres://postgres:postgres@localhost:5432/postgres",
        "redis://:${REDIS_PASSWORD}@cache:6379",
        "http://localhost:3000/@vite/client?token",
        "git clone ssh://git@example.com/x.git",
        "AWS_ACCESS_KEY_ID=AKIA" + "IOSFODNN7EXAMPLE",
        "ghp_" + "x" * 36,
        "docker run -u 1000:1000 --user root:root image",
        "--- PASS: TestCheckpointPath/#00 (0.00s)",
        "Basic authentication is described in the README",
        "the password is base64 encoded",
        "password, exc_info=True)",
        '-----BEGIN RSA PRIVATE KEY----- starts a key; "-----END RSA PRIVATE KEY-----" ends it',
        "Set-Cookie: theme=dark; Path=/; Max-Age=31536000",
        "shim_common_observability_test_that_names_are_not_taken_for_keys",
        "token_file = /run/secrets/db-token-2; key_path: ~/.ssh/id_ed25519_2024",
    ],
)
def test_placeholders_and_code_stay(text: str) -> None:
    assert redact_text(text) == (text, ())


def _values(path: Path) -> Iterator[tuple[int, Any]]:
    read = 0
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            read += len(line)
            if read > _SAMPLE_CHARACTERS:
                return
            try:
                yield len(line), json.loads(line)
            except json.JSONDecodeError:
                yield len(line), line


@pytest.mark.skipif(not _TRANSCRIPTS.is_dir(), reason="the recorded sessions of ../shared are not here")
def test_recorded_sessions_hold_almost_nothing_to_redact(record_property: Any) -> None:
    characters = findings = 0
    for path in sorted(_TRANSCRIPTS.glob("*.jsonl.gz"))[:_SAMPLE_FILES]:
        for length, value in _values(path):
            characters += length
            findings += len(redact_json(value).findings)
    per_megabyte = findings / characters * 1e6
    record_property("findings_per_megabyte", per_megabyte)
    assert characters > 1_000_000
    assert per_megabyte <= _MOST_FINDINGS_PER_MB


@pytest.mark.skipif(not _TRANSCRIPTS.is_dir(), reason="the recorded sessions of ../shared are not here")
def test_secrets_put_into_recorded_sessions_are_found(format_canaries: list[Any]) -> None:
    path = min(_TRANSCRIPTS.glob("*.jsonl.gz"), key=lambda path: path.stat().st_size)
    transcript = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")[:400_000]
    lines = transcript.splitlines()
    rng = random.Random(6)
    for canary in format_canaries:
        lines.insert(rng.randrange(len(lines)), json.dumps({"stdout": f"$ env\n{canary.text}\n"}))
    redacted = redact_text("\n".join(lines)).text
    assert [canary.family for canary in format_canaries if any(part in redacted for part in canary.parts)] == []
