"""Who comes from a crowd platform: any capitals, placeholders, other platforms, signatures."""

import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.cache import cache
from django.http import QueryDict

from evalplatform.annotation.doors import prolific_tokens
from evalplatform.annotation.doors.arrivals import Arrival, arrival_of
from evalplatform.annotation.doors.signatures import signature
from evalplatform.campaigns.rules import parse_rules
from evalplatform.core.errors import BadInputError

PROLIFIC = parse_rules({}).crowd
PANEL = parse_rules({"crowd": {"platform": "generic", "name": "Panel", "signed": "hmac"}}).crowd
SIGNED_PROLIFIC = parse_rules({"crowd": {"signed": "jwt"}}).crowd
SECRET = "a shared secret"
IDS = {"PROLIFIC_PID": "5f1e0a", "STUDY_ID": "s1", "SESSION_ID": "v1"}


@pytest.mark.parametrize("spelling", [str, str.lower, str.title])
def test_parameters_are_found_in_any_capitals(spelling):
    query = {spelling(name): value for name, value in IDS.items()}
    assert arrival_of(query, PROLIFIC) == Arrival("prolific", "5f1e0a", "s1", "v1")


def test_study_and_session_may_be_missing():
    assert arrival_of({"PROLIFIC_PID": "5f1e0a"}, PROLIFIC) == Arrival("prolific", "5f1e0a")


def test_visitor_with_other_parameters_is_nobodys():
    assert arrival_of({"utm_source": "mail", "id": "7"}, PROLIFIC) is None


@pytest.mark.parametrize(
    "placeholder", ["{{%PROLIFIC_PID%}}", "{%PROLIFIC_PID%}", "[%RID%]", "%SURVEY_CODE%", "${pid}"]
)
def test_placeholder_that_nobody_filled_in_is_named_as_one(placeholder):
    with pytest.raises(BadInputError, match="still has a placeholder"):
        arrival_of({"prolific_pid": placeholder}, PROLIFIC)


@pytest.mark.parametrize("value", ["", "<script>", "a b", "-x", "a" * 129, "é", "a\0"])
def test_value_that_is_no_id_is_refused(value):
    with pytest.raises(BadInputError, match="not an id"):
        arrival_of({"PROLIFIC_PID": value}, PROLIFIC)


def test_two_spellings_that_disagree_are_refused():
    with pytest.raises(BadInputError, match="twice"):
        arrival_of({"PROLIFIC_PID": "a", "prolific_pid": "b"}, PROLIFIC)
    assert arrival_of({"PROLIFIC_PID": "a", "prolific_pid": "a"}, PROLIFIC)


def test_one_spelling_with_two_values_is_refused():
    with pytest.raises(BadInputError, match="twice"):
        arrival_of(QueryDict("PROLIFIC_PID=a&PROLIFIC_PID=b"), PROLIFIC)
    assert arrival_of(QueryDict("PROLIFIC_PID=a&PROLIFIC_PID=a"), PROLIFIC)
    assert arrival_of(QueryDict("tag=one&tag=two"), PROLIFIC) is None


@pytest.mark.parametrize(
    ("name", "platform"), [("PROLIFIC_PID", "Prolific"), ("participantId", "Connect")]
)
def test_link_of_another_platform_is_told_apart_from_an_anonymous_visit(name, platform):
    with pytest.raises(BadInputError, match=f"comes from {platform}, .* awaits people from Panel"):
        arrival_of({name: "a"}, PANEL)


# ---- signed by the panel ------------------------------------------------------------------------


def signed(**query):
    return query | {"signature": signature(query, SECRET)}


@pytest.fixture
def secret(settings):
    settings.CROWD_SECRET = SECRET


@pytest.mark.usefixtures("secret")
class TestSignedByThePanel:
    def test_true_signature_proves_the_arrival(self):
        arrival = arrival_of(signed(id="p1", session="v1"), PANEL)
        assert arrival == Arrival("panel", "p1", "", "v1", is_proven=True)

    def test_capitals_of_names_do_not_matter_to_the_signature(self):
        query = signed(id="p1", session="v1")
        assert arrival_of({name.upper(): value for name, value in query.items()}, PANEL)

    @pytest.mark.parametrize(
        "change",
        [{"id": "p2"}, {"session": "v2"}, {"extra": "1"}, {"signature": ""}, {"signature": "é"}],
    )
    def test_anything_changed_is_refused(self, change):
        with pytest.raises(BadInputError, match="signature of Panel"):
            arrival_of(signed(id="p1", session="v1") | change, PANEL)

    def test_link_that_expires_is_refused_afterwards(self):
        assert arrival_of(signed(id="p1", expires=str(int(time.time()) + 60)), PANEL)
        for over in (str(int(time.time()) - 1), "soon"):
            with pytest.raises(BadInputError, match="too old"):
                arrival_of(signed(id="p1", expires=over), PANEL)


def test_site_without_the_secret_lets_nobody_in_unproven(settings):
    settings.CROWD_SECRET = ""
    with pytest.raises(BadInputError, match="CROWD_SECRET"):
        arrival_of(signed(id="p1"), PANEL)


def test_unsigned_arrival_is_not_proven():
    assert not arrival_of(IDS, PROLIFIC).is_proven


# ---- signed by Prolific -------------------------------------------------------------------------

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FORGED = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SITE = "https://eval.example.org"


class Answer:
    def __init__(self, body):
        self.body = body

    def raise_for_status(self):
        pass

    def json(self):
        return self.body


@pytest.fixture
def published(db, settings, monkeypatch):
    """Prolific publishes its key; returns the list of addresses that were asked for it."""
    settings.SITE_URL = SITE
    asked = []
    key = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    body = {"keys": [key | {"kid": "k1", "use": "sig", "alg": "RS256"}]}

    def get(address, timeout):
        asked.append(address)
        return Answer(body)

    monkeypatch.setattr(prolific_tokens.requests, "get", get)
    kept = ["prolific-keys", "prolific-keys-asked"]
    cache.delete_many(kept)
    yield asked
    cache.delete_many(kept)


def token(key=KEY, kid="k1", **claims):
    claims = {
        "aud": "eval.example.org", "exp": int(time.time()) + 60, "prolific": dict(IDS)
    } | claims  # fmt: skip
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


def test_prolifics_token_proves_the_arrival_and_its_keys_are_kept(published):
    for _ in range(2):
        arrival = arrival_of(IDS | {"prolific_token": token()}, SIGNED_PROLIFIC)
        assert arrival.is_proven
    assert published == ["https://api.prolific.com/.well-known/study/jwks.json"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": FORGED}, {"kid": "k2"}, {"exp": int(time.time()) - 60}, {"aud": "evil.example"},
        {"prolific": IDS | {"PROLIFIC_PID": "another"}}, {"prolific": None}, {"prolific": {}},
    ],
    ids=["key", "kid", "expired", "audience", "another id", "no claim", "empty claim"],
)  # fmt: skip
@pytest.mark.usefixtures("published")
def test_token_that_proves_something_else_is_refused(wrong):
    with pytest.raises(BadInputError, match="signature of Prolific"):
        arrival_of(IDS | {"prolific_token": token(**wrong)}, SIGNED_PROLIFIC)


def test_unknown_key_is_looked_for_once_a_minute(published):
    arrival_of(IDS | {"prolific_token": token()}, SIGNED_PROLIFIC)
    for _ in range(5):
        with pytest.raises(BadInputError, match="signature of Prolific"):
            arrival_of(IDS | {"prolific_token": token(kid="k2")}, SIGNED_PROLIFIC)
    assert len(published) == 2


@pytest.mark.parametrize("text", ["", "a.b.c", "x"])
@pytest.mark.usefixtures("published")
def test_what_is_no_token_is_refused(text):
    with pytest.raises(BadInputError, match="signature of Prolific"):
        arrival_of(IDS | {"prolific_token": text}, SIGNED_PROLIFIC)


@pytest.mark.usefixtures("published")
def test_token_signed_with_the_public_key_as_a_secret_is_refused():
    claims = {"aud": "eval.example.org", "exp": int(time.time()) + 60, "prolific": IDS}
    forged = jwt.encode(claims, "k" * 32, algorithm="HS256", headers={"kid": "k1"})
    with pytest.raises(BadInputError, match="signature of Prolific"):
        arrival_of(IDS | {"prolific_token": forged}, SIGNED_PROLIFIC)


def test_keys_out_of_reach_are_said_and_let_nobody_in(published, monkeypatch):
    def get(address, timeout):
        raise prolific_tokens.requests.ConnectionError

    monkeypatch.setattr(prolific_tokens.requests, "get", get)
    with pytest.raises(BadInputError, match="out of reach"):
        arrival_of(IDS | {"prolific_token": token()}, SIGNED_PROLIFIC)
