"""A corpus of secrets that are nobody's: each is drawn at test time, from its family's shape and a fixed seed.

Shapes are written so that no scanner takes a row of the table for a secret: `{A36}` stands for 36 letters or digits.
"""

import base64
import random
import re
import string
from typing import NamedTuple

import pytest

_CLASSES = {
    "A": string.ascii_letters + string.digits,
    "L": string.ascii_letters,
    "U": string.ascii_uppercase + string.digits,
    "l": string.ascii_lowercase + string.digits,
    "h": "0123456789abcdef",
    "d": string.digits,
    "b": string.ascii_letters + string.digits + "+/",
    "u": string.ascii_letters + string.digits + "-_",
    "c": string.ascii_letters + string.digits + "!@#%^*+~",
}

FORMATS = """
shim-ingest       shim_ingest_{u43}
shim-admin        shim_admin_{u43}
aws-key-id        AK{U0}IA{U16}
aws-session-id    AS{U0}IA{U16}
aws-bedrock       ABSKQmVkcm9ja0FQSUtleS{b114}
gcp-key           AI{U0}za{u35}
google-oauth      GOCSPX-{u28}
google-access     ya29.{u60}
azure-ad          {A3}{d1}Q~{A34}
alibaba           LTAI{l20}
yandex            AQVN{u36}
digitalocean      dop_v1_{h64}
digitalocean-2    dor_v1_{h64}
heroku            HRKU-AA{u58}
fly               fo1_{u43}
fly-macaroon      fm2_{b120}
cloudflare-ca     v1.0-{h24}-{h146}
vercel            vcp_{A24}
netlify           nfp_{A36}
scalingo          tk-us-{u48}
openshift         sha256~{u43}
clickhouse        4b1d{A38}
github-classic    ghp_{A36}
github-oauth      gho_{A36}
github-user       ghu_{A36}
github-server     ghs_{A36}
github-refresh    ghr_{A76}
github-fine       github_pat_{A22}_{A59}
gitlab-pat        glpat-{u20}
gitlab-routable   glpat-{u27}.01.{l9}
gitlab-trigger    glptt-{h40}
gitlab-deploy     gldt-{u20}
gitlab-runner     glrt-{u20}
gitlab-job        glcbt-{A2}_{u20}
gitlab-oauth-app  gloas-{u64}
gitlab-register   GR1348941{u20}
bitbucket         ATBB{A32}
atlassian         ATATT3{u180}={h8}
npm               npm_{A36}
pypi              pypi-AgEIcHlwaS5vcmc{u150}
rubygems          rubygems_{h48}
crates            cio{A32}
nuget             oy2{l43}
clojars           CLOJARS_{l60}
docker            dckr_pat_{u27}
artifactory       AKCp{A69}
artifactory-ref   cmVmd{A59}
sonar             squ_{h40}
sourcegraph       sgp_{h16}_{h40}
circleci          CCIPAT_{A22}_{h40}
buildkite         bkua_{h40}
launchdarkly      sdk-{h8}-{h4}-{h4}-{h4}-{h12}
octopus           API-{U26}
postman           PMAK-{h24}-{h34}
figma             figd_{u40}
statsig           secret-{A43}
anthropic         sk-ant-api03-{u93}AA
anthropic-admin   sk-ant-admin01-{u93}AA
anthropic-oauth   sk-ant-oat01-{u80}
openai-project    sk-proj-{u74}T3Bl{U0}bkFJ{u74}
openai-service    sk-svcacct-{u58}T3Bl{U0}bkFJ{u58}
openai-classic    sk-{A20}T3Bl{U0}bkFJ{A20}
openrouter        sk-or-v1-{h64}
huggingface       hf_{L34}
groq              gsk_{A52}
xai               xai-{A80}
replicate         r8_{A37}
perplexity        pplx-{A48}
tavily            tvly-dev-{A32}
pinecone          pcsk_{A6}_{A58}
langsmith         lsv2_pt_{h32}_{h10}
slack-bot         xoxb-{d12}-{d13}-{A24}
slack-user        xoxp-{d12}-{d12}-{d12}-{h32}
slack-app         xapp-1-{U11}-{d13}-{h64}
slack-config      xoxe.xoxp-1-{U163}
slack-webhook     https://hooks.slack.com/services/T{U9}/B{U10}/{A24}
stripe-live       sk_live_{A24}
stripe-test       sk_test_{A99}
stripe-restricted rk_live_{A24}
stripe-webhook    whsec_{A32}
twilio            SK{h32}
sendgrid          SG.{u22}.{u43}
mailgun           key-{h32}
mailchimp         {h32}-us14
sendinblue        xkeysib-{h64}-{A16}
resend            re_{A8}_{A24}
discord           MTE{A21}.G{A5}.{u38}
discord-webhook   https://discord.com/api/webhooks/{d18}/{u68}
teams-webhook     https://a.webhook.office.com/webhookb2/{h8}-{h4}-{h4}-{h4}-{h12}@{h8}/IncomingWebhook/{h32}/{h8}
shopify           shpat_{h32}
shopify-secret    shpss_{h32}
square            sq0atp-{u22}
square-2          EAAA{u60}
facebook          EAAC{A150}
telegram          {d10}:AAE{u32}
linear            lin_api_{A40}
notion            ntn_{d11}{A35}
notion-old        secret_{A43}
airtable          pat{A14}.{h64}
harness           pat.{u22}.{A24}.{A20}
authress          sc_{l10}.{l5}.acc_{l12}.{A40}
dropbox           sl.{u135}
typeform          tfp_{u59}
readme            rdme_{l70}
frameio           fio-u-{u64}
infracost         ico-{A32}
intra42           s-s4t2ud-{h64}
mapbox            sk.eyJ{A80}.{A22}
maxmind           {A6}_{A29}_mmk
plaid             access-sandbox-{h8}-{h4}-{h4}-{h4}-{h12}
lob               live_{h35}
gocardless        live_{u40}
duffel            duffel_live_{u43}
easypost          EZAK{A54}
shippo            shippo_live_{h40}
flutterwave       FLWSECK_TEST-{h32}-X
settlemint        sm_pat_{A16}
adobe             p8e-{A32}
sentry-org        sntrys_eyJpYXQiOjE3{A60}{b60}_{b43}
sentry-user       sntryu_{h64}
newrelic          NRAK-{U27}
newrelic-license  {h36}NRAL
grafana-service   glsa_{A32}_{h8}
grafana-cloud     glc_eyJ{b80}
grafana-old       eyJrIjoi{A90}
vault             hvs.{u92}
vault-batch       hvb.{u140}
terraform         {A14}.atlasv1.{u66}
databricks        dapi{h32}
doppler           dp.pt.{A43}
dynatrace         dt0c01.{U24}.{U64}
pulumi            pul-{h40}
prefect           pnu_{A36}
planetscale       pscale_tkn_{u43}
supabase          sbp_{h40}
supabase-secret   sb_secret_{u32}
tailscale         tskey-auth-{A12}CNTRL-{A32}
defined           dnkey-{U26}-{U52}
onepassword       A3-{U6}-{U11}-{U5}-{U5}-{U5}
onepassword-sa    ops_eyJ{A260}
age               AGE-SECRET-KEY-1{U58}
jwt               eyJhbGciOi{u20}.eyJzdWIiOi{u60}.{u43}
jwt-base64        ZXlKaGJHY2lPaUpJVXpJMU5p{A80}
"""

CONTEXTS = """
aws-secret        aws_secret_access_key = {b40}
aws-pair          AK{U0}IA{U16},{b40}
azure-storage     AccountName=shop;AccountKey={b86}==;EndpointSuffix=core
azure-sas         https://shop.blob.core.windows.net/c?sv=2024-01-01&se=2027-01-01&sig={b43}%3D
heroku-old        HEROKU_API_KEY={h8}-{h4}-{h4}-{h4}-{h12}
datadog           DD_API_KEY={h32}
datadog-app       datadog_app_key: {h40}
fastly            "fastly_api_token": "{u32}"
cloudflare        CLOUDFLARE_API_TOKEN={u40}
twilio-auth       TWILIO_AUTH_TOKEN='{h32}'
okta              okta_api_token: "00{u40}"
discord-secret    DISCORD_CLIENT_SECRET={u32}
generic-quoted    const apiKey: string = "{A32}";
generic-python    client_secret = '{A40}'
generic-dict      config["secret_key"] = "{A40}"
generic-call      set_option("access_token", "{A40}")
generic-yaml      refresh_token: {A48}
generic-pair      {"name": "SIGNING_KEY", "value": "{A40}"}
generic-xml       <clientSecret>{A32}</clientSecret>
generic-query     https://api.shop.test/v1?user=7&access_token={A40}&page=2
password-quoted   password = "{c14}"
password-yaml     db_password: {c16}
password-env      export DB_PASSWORD={c16}
password-option   login --user bob --password {c14}
password-adonet   Server=db;User Id=bob;Password={c14};Encrypt=yes
password-libpq    host=db user=bob password={c14} dbname=shop
password-header   X-Vault-Token: {A26}
bearer            Authorization: Bearer {u40}
bearer-curl       curl -H 'authorization: bearer {u40}' https://shop.test
raw-header        Authorization: {u40}
api-header        x-api-key: {u40}
curl-user         curl -u bob:{A12} https://shop.test
set-cookie        Set-Cookie: sid={u40}; Path=/; HttpOnly
cookie            Cookie: theme=dark; sid={u40}
gitlab-cookie     _gitlab_session={h32}
url-postgres      postgres://bob:{A16}@db.shop.test:5432/shop
url-postgres-odd  postgresql+asyncpg://bob:{A8}/{A8}#{A4}@db/shop
url-redis         redis://:{A24}@cache:6379/0
url-mongodb       mongodb+srv://bob:{A20}@cluster0.shop.test/shop
url-amqp          amqp://bob:{A18}@mq:5672
url-https         https://bob:{A18}@shop.test/x.git
url-token         https://{A40}@shop.test/x.git
docker-auth       "auth": "{basic}"
basic-header      Authorization: Basic {basic}
"""

_SLOT = re.compile(r"\{(?:([A-Za-z])(\d+)|(basic))\}")


class Canary(NamedTuple):
    """A text that holds a secret; `parts` are the drawn pieces but numbers, none of which may survive."""

    family: str
    text: str
    parts: tuple[str, ...]


def _draw(kind: str, count: int, rng: random.Random) -> str:
    """Draw characters of a class, at least one a digit where the class has both, as nearly every real secret has."""
    drawn = [rng.choice(_CLASSES[kind]) for _ in range(count)]
    if count >= 8 and kind in "AUlbuc":
        drawn[count // 2] = rng.choice(string.digits)
        drawn[count // 3] = rng.choice(string.ascii_uppercase if kind == "U" else string.ascii_lowercase)
    return "".join(drawn)


def _canary(family: str, shape: str, rng: random.Random) -> Canary:
    parts: list[str] = []

    def fill(slot: re.Match[str]) -> str:
        if slot[3]:
            drawn = base64.b64encode(f"bob:{_draw('A', 14, rng)}".encode()).decode()
        else:
            drawn = _draw(slot[1], int(slot[2]), rng)
        if slot[1] != "d":
            parts.append(drawn)
        return drawn

    text = _SLOT.sub(fill, shape)
    return Canary(family, text, tuple(part for part in parts if len(part) >= 8))


def _canaries(table: str, seed: int) -> list[Canary]:
    rng = random.Random(seed)
    rows = [row.split(maxsplit=1) for row in table.strip().splitlines()]
    return [_canary(family, shape, rng) for family, shape in rows for _ in range(3)]


def private_key(kind: str, rng: random.Random) -> Canary:
    lines = [_draw("b", 64, rng) for _ in range(12)] + [_draw("b", 30, rng) + "=="]
    head, tail = f"-----BEGIN {kind}-----", f"-----END {kind}-----"
    return Canary(kind, "\n".join([head, *lines, tail]), tuple(lines))


@pytest.fixture(scope="session")
def format_canaries() -> list[Canary]:
    return _canaries(FORMATS, seed=1)


@pytest.fixture(scope="session")
def key_canaries() -> list[Canary]:
    rng = random.Random(2)
    kinds = ("RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA ", "")
    return [private_key(f"{kind}PRIVATE KEY", rng) for kind in kinds] + [private_key("PGP PRIVATE KEY BLOCK", rng)]


@pytest.fixture(scope="session")
def canaries(format_canaries: list[Canary], key_canaries: list[Canary]) -> list[Canary]:
    return [*format_canaries, *_canaries(CONTEXTS, seed=3), *key_canaries]
