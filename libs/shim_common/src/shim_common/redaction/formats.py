"""Secrets that their own form gives away, whatever stands around them.

Each row states what the issuer documents or what its tokens visibly are. Anchors count only within a long word, see
`words`; they consist of its characters. No rule looks past the end of a line.
"""

from dataclasses import replace

from .plausibility import looks_random
from .rule import ALNUM, DOTTED, ENCODED, HEX, LOWER, NOT_ALNUM_NEXT, UPPER, URL_SAFE, Rule, Span, matching, token
from .words import in_long_word

_UUID_START = f"{HEX}{{8}}-(?:{HEX}{{4}}-){{3}}"
_NOT_IN_RUN = "(?<![0-9A-Za-z_-][_-])"
_AWS_KEY_ID = f"(?:AKIA|ASIA|ABIA|ACCA){UPPER}{{16}}"


def _has_digit(secret: str) -> bool:
    return any(character.isdigit() for character in secret)


def _has_capital(secret: str) -> bool:
    return not secret.islower()


_SHIM = (token("shim-key", "shim_", URL_SAFE, 43, middle="[a-z]{2,16}_", inside=True, accept=_has_capital),)

_CLOUDS = (
    Rule(
        "aws-secret-key",
        ("AKIA", "ASIA"),
        matching(rf"""{_AWS_KEY_ID}[\\"',:; \t|]{{1,4}}(?P<secret>[\w+/=]{{40}})(?![\w+/=])"""),
    ),
    token("aws-access-key", "AKIA ASIA ABIA ACCA", UPPER, 16, exact=True),
    token("aws-bedrock-key", "ABSK", ENCODED, 100),
    token("aws-bedrock-key", "bedrock-api-key-", ENCODED, 20, inside=True),
    token("gcp-api-key", "AIza", URL_SAFE, 35),
    token("google-oauth-secret", "GOCSPX-", URL_SAFE, 24, inside=True),
    token("google-access-token", "ya29.", DOTTED, 20),
    Rule("azure-client-secret", ("Q~",), matching(rf"[\w.~]{{3}}\dQ~[\w.~-]{{31,34}}{NOT_ALNUM_NEXT}"), lead=4),
    token("alibaba-access-key", "LTAI", ALNUM, 16, accept=_has_digit),
    token("yandex-api-key", "AQVN", URL_SAFE, 35),
    token("yandex-token", "t1.", URL_SAFE, 86, middle=rf"{URL_SAFE}+={{0,2}}\."),
    token("digitalocean-token", "dop_v1_ doo_v1_ dor_v1_", HEX, 64, inside=True),
    token("heroku-key", "HRKU-", URL_SAFE, 36, inside=True),
    token("fly-token", "fo1_", URL_SAFE, 43),
    token("cloudflare-origin-key", "v1.0-", HEX, 146, middle=f"{HEX}{{24}}-"),
    token("vercel-token", "vcp_ vci_ vca_ vcr_ vck_", ALNUM, 24),
    token("netlify-token", "nfp_ nfc_ nfo_ nfu_ nfb_", ALNUM, 36),
    token("render-key", "rnd_", ALNUM, 20, accept=looks_random),
    token("scalingo-token", "tk-us-", URL_SAFE, 48),
    token("openshift-token", "sha256~", URL_SAFE, 43),
    token("clickhouse-key", "4b1d", ALNUM, 38, exact=True, accept=looks_random),
)

_CODE = (
    token("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", ALNUM, 36, inside=True),
    token("github-token", "github_pat_", r"\w", 60, inside=True),
    token(
        "gitlab-token",
        "glpat- gldt- glrt- glrtr- glptt- glcbt- glft- glimt- glagent- glsoat- gloas- glffct- glwt-",
        DOTTED,
        20,
        inside=True,
    ),
    token("gitlab-token", "GR1348941", URL_SAFE, 20),
    token("bitbucket-token", "ATBB", ALNUM, 32, exact=True),
    token("atlassian-token", "ATATT3 ATCTT3", r"[\w=%-]", 60),
    token("npm-token", "npm_", ALNUM, 36),
    token("pypi-token", "pypi-", URL_SAFE, 80, inside=True),
    token("rubygems-token", "rubygems_", HEX, 48, inside=True),
    token("crates-token", "cio", ALNUM, 32, exact=True, accept=looks_random),
    token("nuget-key", "oy2", LOWER, 43, exact=True, accept=looks_random),
    token("clojars-token", "CLOJARS_", LOWER, 60, inside=True),
    token("docker-token", "dckr_pat_ dckr_oat_", URL_SAFE, 24, inside=True),
    token("artifactory-key", "AKCp", ALNUM, 60),
    token("artifactory-token", "cmVmd", ALNUM, 59, exact=True),
    token("sonar-token", "squ_ sqp_ sqa_", HEX, 40),
    token("sourcegraph-token", "sgp_", HEX, 40, middle=f"(?:{ALNUM}{{5,16}}_)?"),
    token("circleci-token", "CCIPAT_ CCIPRJ_", HEX, 40, middle=f"{ALNUM}+_", inside=True),
    token("buildkite-token", "bkua_", HEX, 40, inside=True),
    token("launchdarkly-key", "sdk- mob- api-", HEX, 12, middle=_UUID_START),
    token("octopus-key", "API-", UPPER, 26, exact=True, accept=looks_random),
    token("postman-key", "PMAK-", HEX, 34, middle=f"{HEX}{{24}}-", inside=True),
    token("figma-token", "figd_", URL_SAFE, 40, inside=True),
    token("statsig-key", "secret- console-", ALNUM, 40, accept=looks_random),
)

_MODELS = (
    token("anthropic-key", "sk-ant-", URL_SAFE, 24, inside=True, accept=_has_digit),
    token("openai-key", "sk-proj- sk-svcacct- sk-admin- sk-None-", URL_SAFE, 20, inside=True, accept=_has_digit),
    token("openrouter-key", "sk-or-v1-", HEX, 60, inside=True),
    token("sk-key", "sk-", URL_SAFE, 20, before=_NOT_IN_RUN, accept=looks_random),
    token("huggingface-token", "hf_ api_org_", ALNUM, 34),
    token("groq-key", "gsk_", ALNUM, 40),
    token("xai-key", "xai-", ALNUM, 70),
    token("replicate-token", "r8_", ALNUM, 37),
    token("perplexity-key", "pplx-", ALNUM, 40),
    token("cerebras-key", "csk-", ALNUM, 40),
    token("nvidia-key", "nvapi-", URL_SAFE, 60),
    token("tavily-key", "tvly-", URL_SAFE, 24, accept=looks_random),
    token("pinecone-key", "pcsk_", r"\w", 50),
    token("langsmith-key", "lsv2_pt_ lsv2_sk_", r"\w", 40, inside=True),
)

_SERVICES = (
    token(
        "slack-token",
        "xoxb- xoxp- xoxa- xoxr- xoxs- xoxo- xoxc- xoxd- xoxe- xoxe.xoxp- xoxe.xoxb-",
        "[0-9A-Za-z%-]",
        15,
        inside=True,
        accept=_has_digit,
    ),
    token("slack-token", "xapp- xwfp-", "[0-9A-Za-z-]", 20, inside=True, accept=_has_digit),
    token("stripe-key", "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_", ALNUM, 12),
    token("sk-key", "sk_", HEX, 48),
    token("twilio-key", "SK", HEX, 32, exact=True),
    token("sendgrid-key", "SG.", URL_SAFE, 16, middle=rf"{URL_SAFE}{{16,64}}\."),
    token("mailgun-key", "key- pubkey-", HEX, 32, exact=True),
    Rule("mailchimp-key", ("-us",), matching(rf"{HEX}{{32}}-us\d{{1,2}}{NOT_ALNUM_NEXT}"), lead=32),
    token("sendinblue-key", "xkeysib- xsmtpsib-", ALNUM, 16, middle=f"{HEX}{{64}}-", inside=True),
    token("resend-key", "re_", ALNUM, 20, middle=f"{ALNUM}{{8}}_", accept=looks_random),
    Rule(
        "discord-token",
        ("MTA", "MTE", "MTI", "MTM", "MTQ"),  # base64 of "10" to "14", which user ids begin with since 2022
        matching(rf"M{URL_SAFE}{{23,27}}\.{URL_SAFE}{{6}}\.{URL_SAFE}{{27,40}}"),
    ),
    token("shopify-token", "shpat_ shpca_ shppa_ shpss_ shptka_", "[0-9a-fA-F]", 32, inside=True),
    token("square-token", "sq0atp- sq0csp- sq0idp-", URL_SAFE, 22, inside=True),
    token("square-token", "EAAA", URL_SAFE, 56, accept=_has_digit),
    token("facebook-token", "EAA", ALNUM, 100, accept=_has_digit),
    token("telegram-token", "AAE AAF AAG AAH", URL_SAFE, 32, before=r"(?:(?<=\d{6}:)|(?<=\d{6}%3A))"),
    token("linear-key", "lin_api_ lin_oauth_", ALNUM, 32, inside=True),
    token("notion-token", "ntn_", ALNUM, 40),
    token("notion-token", "secret_", ALNUM, 43, exact=True, accept=looks_random),
    token("airtable-token", "pat", HEX, 64, middle=rf"{ALNUM}{{14}}\."),
    token("harness-token", "pat. sat.", ALNUM, 20, middle=rf"{URL_SAFE}{{22}}\.{ALNUM}{{24}}\."),
    token(
        "authress-key", "sc_ ext_ scauth_ authress_", DOTTED, 40, middle=rf"{LOWER}{{5,30}}\.{LOWER}{{4,6}}\.acc[_-]"
    ),
    token("dropbox-token", "sl.", URL_SAFE, 120),
    token("typeform-token", "tfp_", DOTTED, 50),
    token("readme-key", "rdme_", LOWER, 64),
    token("frameio-token", "fio-u-", URL_SAFE, 60),
    token("infracost-key", "ico-", ALNUM, 32, exact=True),
    token("intra42-secret", "s-s4t2ud- s-s4t2af-", HEX, 64),
    token("mapbox-token", "sk.eyJ tk.eyJ pk.eyJ", URL_SAFE, 16, middle=rf"{URL_SAFE}{{30,400}}\."),
    Rule("maxmind-key", ("_mmk",), matching(rf"{ALNUM}{{6}}_{ALNUM}{{29}}_mmk{NOT_ALNUM_NEXT}"), lead=36),
    token("plaid-token", "access-sandbox- access-development- access-production-", HEX, 12, middle=_UUID_START),
    token("lob-key", "live_ test_ live_pub_ test_pub_", HEX, 31),
    token("gocardless-token", "live_", URL_SAFE, 40, accept=looks_random),
    token("duffel-token", "duffel_live_ duffel_test_", r"[\w=-]", 40),
    token("easypost-key", "EZAK EZTK", ALNUM, 54),
    token("shippo-token", "shippo_live_ shippo_test_", HEX, 40),
    token("flutterwave-key", "FLWSECK- FLWSECK_TEST- FLWPUBK_TEST- FLWPUBK-", LOWER, 12, accept=_has_digit),
    token("settlemint-token", "sm_aat_ sm_pat_ sm_sat_", ALNUM, 16),
    token("adobe-secret", "p8e-", ALNUM, 32, exact=True),
    token("posthog-key", "phx_", ALNUM, 40),
)

_OPERATIONS = (
    token("sentry-token", "sntrys_ sntryu_ sntrya_ sntryi_", r"[\w+/=%-]", 40, inside=True),
    token("newrelic-key", "NRAK- NRII- NRJS- NRIQ- NRSP-", r"[0-9A-Za-z-]", 19, accept=_has_digit),
    Rule("newrelic-key", ("NRAL",), matching(rf"{HEX}{{36}}NRAL{NOT_ALNUM_NEXT}"), lead=36),
    token("grafana-token", "glsa_", r"\w", 40),
    token("grafana-token", "glc_", ENCODED, 32),
    token("grafana-key", "eyJrIjoi", ENCODED, 60),
    token("vault-token", "hvs. hvb. hvr.", URL_SAFE, 24),
    Rule("terraform-token", (".atlasv1.",), matching(rf"{ALNUM}{{14}}\.atlasv1\.{URL_SAFE}{{60,}}"), lead=14),
    token("databricks-token", "dapi", HEX, 32),
    token("doppler-token", "dp.pt. dp.ct. dp.sa. dp.st. dp.scim. dp.audit.", DOTTED, 40),
    token("dynatrace-token", "dt0c01. dt0s01.", UPPER, 64, middle=rf"{UPPER}{{24}}\."),
    token("pulumi-token", "pul-", HEX, 40),
    token("prefect-key", "pnu_", ALNUM, 36),
    token("planetscale-token", "pscale_tkn_ pscale_oauth_ pscale_pw_", r"[\w=.-]", 30, inside=True),
    token("supabase-key", "sbp_", HEX, 40),
    token("supabase-key", "sb_secret_", URL_SAFE, 20, inside=True),
    token("neon-key", "napi_", LOWER, 50),
    token("defined-networking-key", "dnkey-", URL_SAFE, 60),
    token("tailscale-key", "tskey-", r"[0-9A-Za-z-]", 24, accept=looks_random),
    token("onepassword-token", "ops_eyJ", ENCODED, 100),
    token("onepassword-key", "A3-", r"[0-9A-Z-]", 30),
    token("age-key", "AGE-SECRET-KEY-1", UPPER, 50, inside=True),
)

_WRAPPED = (
    Rule(
        "jwt",
        ("eyJ",),
        matching(rf"{_NOT_IN_RUN}eyJ{URL_SAFE}{{8,}}\.{URL_SAFE}*\.{URL_SAFE}{{8,}}(?:\.{URL_SAFE}+){{0,2}}"),
    ),
    token("jwt-base64", "ZXlK", r"[\w+/=%-]", 60),
)


def _within_long_words(rule: Rule) -> Rule:
    def find(text: str, at: int) -> Span | None:
        return rule.find(text, at) if in_long_word(text, at + rule.lead) else None

    return replace(rule, find=find)


FORMATS: tuple[Rule, ...] = tuple(
    _within_long_words(rule) for rule in (*_SHIM, *_WRAPPED, *_CLOUDS, *_CODE, *_MODELS, *_SERVICES, *_OPERATIONS)
)
"""All format rules; where two match at the same place, the earlier one names the secret."""
