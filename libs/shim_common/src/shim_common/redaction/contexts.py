"""Secrets that their surroundings give away, in headers, URLs, cookies, command lines and assignments.

Two formats are here as well whose body is base64, so that no long word need hold their prefix. Anchors are lower
case and looked for in the lower-cased text. No rule looks past the end of a line.
"""

import re
from collections.abc import Callable

from .assignments import find_assigned
from .plausibility import is_basic_credentials, is_placeholder, looks_chosen, looks_random
from .rule import ENCODED, Find, Rule, Span, matching, token

_SEPARATOR = r"""\\*["'`]?\]?[ \t]{0,8}(?:=>|[:=,])[ \t]{0,8}\\*["'`]?"""
_SLASH = "(?:/|%2F)"
_COOKIE_NAME = r"[\w.!#$%&*+^|~-]++"
_COOKIE_VALUE = r"[\w.%+/!*~-]{8,}+={0,2}"
_COOKIE = rf"{_COOKIE_NAME}=[\w.%+/!*~-]*+={{0,2}}"

_DATABASE_URL = re.compile(
    r"(?:postgres(?:ql)?|mysql|mariadb|mssql|sqlserver|oracle|mongodb|rediss?|valkeys?|amqps?|clickhouse|cockroachdb"
    r"|snowflake|nats|kafka|ldaps?|smtps?)(?:\+[a-z0-9]+)?\Z",
    re.IGNORECASE,
)
_LONGEST_SCHEME = 24
_LONGEST_USERINFO = 512
_USERINFO_REACH = 2 * _LONGEST_USERINFO + len("://:@")
_USERINFO = re.compile(
    rf"""://(?P<user>[^\s/?#@:"'`\\<>]{{0,{_LONGEST_USERINFO}}})"""
    rf"""(?::(?P<password>[^\s/?#@"'`\\<>]{{1,{_LONGEST_USERINFO}}}))?@(?=[\w\[$%{{-])""",
    re.ASCII,
)
_DATABASE_USERINFO = re.compile(
    rf"""://(?P<user>[^\s/@:"'`\\<>]{{0,{_LONGEST_USERINFO}}})"""
    rf""":(?P<password>[^\s"'`\\<>]{{1,{_LONGEST_USERINFO}}})@(?=[\w\[$%{{-])""",
    re.ASCII,
)
_SHORTEST_USER_TOKEN = 20

_USER_OPTION = re.compile(
    r"""(?:(?<=[ \t])-u|(?<=[ \t]-)-user)[ =]?[ \t]*\\*["']?[\w.@+-]*:(?P<secret>[^\s"'\\]{3,256})""", re.ASCII
)
_COMMAND_REACH = 400


def _find_userinfo(text: str, at: int) -> Span | None:
    """Return the password of `scheme://user:password@host`, or the token of `scheme://token@host`.

    A password equal to its user name, as in `postgres:postgres`, is a public default and stays. Only URLs of databases
    may hold `/`, `?` and `#` in the password: elsewhere those end the host, as in `http://localhost:3000/@scope`.
    """
    if text.find("@", at, at + _USERINFO_REACH) < 0:
        return None
    scheme = text[max(0, at - _LONGEST_SCHEME) : at]
    pattern = _DATABASE_USERINFO if _DATABASE_URL.search(scheme) else _USERINFO
    match = pattern.match(text, at)
    if match is None:
        return None
    user, password = match["user"], match["password"]
    if password is None:
        is_token = len(user) >= _SHORTEST_USER_TOKEN and looks_random(user) and not is_placeholder(user)
        return match.span("user") if is_token else None
    return None if password == user or is_placeholder(password) else match.span("password")


def _find_user_option(text: str, at: int) -> Span | None:
    """Return the password of `curl -u user:password`; without `curl` before it the option may mean user and group."""
    match = _USER_OPTION.match(text, at)
    if match is None or is_placeholder(match["secret"]):
        return None
    line_start = max(text.rfind("\n", 0, at) + 1, at - _COMMAND_REACH)
    is_password = "curl" in text[line_start:at] or looks_chosen(match["secret"])
    return match.span("secret") if is_password else None


def _looks_like_cookies(header: str) -> bool:
    return any(looks_random(pair.partition("=")[2].strip()) for pair in header.split(";"))


def _ignoring_case(pattern: str, accept: Callable[[str], bool] | None = None) -> Find:
    return matching(pattern, accept, re.IGNORECASE)


CONTEXTS: tuple[Rule, ...] = (
    Rule(
        "authorization-header",
        ("authorization",),
        _ignoring_case(
            rf"authorization{_SEPARATOR}(?:[a-z][a-z0-9-]{{2,20}}[ \t]+)?+(?P<secret>[\w.~+/-]{{12,}}={{0,2}})",
            looks_random,
        ),
        bounded=False,
    ),
    Rule("bearer-token", ("bearer",), _ignoring_case(r"bearer[ \t]+(?P<secret>[\w.~+/-]{12,}={0,2})", looks_random)),
    Rule(
        "basic-credentials",
        ("basic ",),
        _ignoring_case(r"basic +(?P<secret>[\w+/-]{8,}={0,2})", is_basic_credentials),
    ),
    Rule(
        "cookie",
        ("cookie",),
        _ignoring_case(rf"(?<=set-)cookie{_SEPARATOR}{_COOKIE_NAME}=(?P<secret>{_COOKIE_VALUE})", looks_random),
    ),
    Rule(
        "cookie",
        ("cookie",),
        _ignoring_case(rf"(?<!set-)cookie{_SEPARATOR}(?P<secret>{_COOKIE}(?:;[ ]?{_COOKIE})*+)", _looks_like_cookies),
    ),
    Rule(
        "cookie",
        ("sessid=", "jsessionid=", "_session="),
        _ignoring_case(rf"(?:sessid|jsessionid|_session)=(?P<secret>{_COOKIE_VALUE})", looks_random),
        bounded=False,
    ),
    Rule("url-password", ("://",), _find_userinfo, bounded=False),
    Rule("user-option", ("-u",), _find_user_option, bounded=False),
    Rule(
        "webhook-url",
        ("hook",),
        _ignoring_case(
            rf"hook(?:s\.slack\.com{_SLASH}(?:services|workflows|triggers)|s{_SLASH}\d{{15,}}|b2){_SLASH}"
            r"(?P<secret>[\w@/%+-]{20,})"
        ),
        bounded=False,
    ),
    token("webhook-secret", "whsec_", ENCODED, 24, inside=True),
    token("fly-token", "fm2_", ENCODED, 100),
    Rule("url-signature", ("sig",), _ignoring_case(r"sig(?:nature)?=(?P<secret>[\w%+/-]{40,}={0,2})", looks_random)),
    Rule(
        "assigned-secret",
        ("pass", "pwd", "secret", "token", "key", "cred", "auth"),
        find_assigned,
        bounded=False,
    ),
)
"""All context rules. They run over text in which the format rules have already replaced what they know."""
