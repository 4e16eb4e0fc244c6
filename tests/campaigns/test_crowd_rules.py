"""Where a crowd platform's people are sent: presets, own addresses, and what is refused."""

import pytest

from evalplatform.campaigns.crowd_presets import PRESETS
from evalplatform.campaigns.crowd_rules import CrowdRules, PanelOutcome
from evalplatform.campaigns.rules import parse_rules
from evalplatform.core.errors import BadInputError

IDS = {"id": "p 1&x", "study": "s", "session": "v/1"}
GENERIC = {"platform": "generic", "name": "Besample"}


def crowd(**given) -> CrowdRules:
    return parse_rules({"crowd": given}).crowd


def test_rules_without_the_section_know_prolific_and_no_way_back():
    rules = parse_rules({}).crowd
    assert rules.parameters[:3] == ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")
    assert rules.address(PanelOutcome.COMPLETED, **IDS) is None


@pytest.mark.parametrize("platform", PRESETS)
def test_every_preset_is_usable(platform):
    rules = crowd(platform=platform, name="Panel", completed_code="C1")
    assert rules.parameters[0]
    address = rules.address(PanelOutcome.COMPLETED, **IDS)
    assert address is None or address.startswith("https://")


def test_cint_gets_its_states_and_the_respondents_id():
    rules = crowd(platform="cint")
    assert [rules.address(outcome, id="R-1", study="", session="") for outcome in PanelOutcome] == [
        f"https://samplicio.us/s/ClientCallBack.aspx?RIS={state}&RID=R-1" for state in (10, 20, 40)
    ]


def test_address_of_ones_own_takes_ids_and_code_quoted():
    rules = crowd(
        **GENERIC, completed="https://p.example/{study}/done?id={id}&s={session}&c={code}",
        completed_code="C-1",
    )  # fmt: skip
    address = rules.address(PanelOutcome.COMPLETED, **IDS)
    assert address == "https://p.example/s/done?id=p%201%26x&s=v%2F1&c=C-1"
    assert rules.address(PanelOutcome.FULL, **IDS) is None


def test_value_that_looks_like_a_placeholder_stays_a_value():
    rules = crowd(**GENERIC, completed="https://p.example/?id={id}&c={code}", completed_code="C1")
    address = rules.address(PanelOutcome.COMPLETED, id="{code}", study="", session="")
    assert address == "https://p.example/?id=%7Bcode%7D&c=C1"


@pytest.mark.parametrize(
    "address",
    [
        "http://p.example/", "javascript:alert(1)", "//p.example/", "https://{id}.example/",
        "https://p.example@evil.example/", "https://p.example/{secret}", "https:///x",
        "https://p.example/ x", "https://p.example\\@evil.example/", "https://[::1", "p.example",
    ],
)  # fmt: skip
def test_address_that_is_not_https_or_whose_host_is_open_is_refused(address):
    with pytest.raises(BadInputError, match=r"crowd.*completed"):
        crowd(**GENERIC, completed=address)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"platform": "mturk"}, "accepted are prolific, connect, sona, cint, generic"),
        ({"platform": "generic"}, "needs a name"),
        (GENERIC | {"completed": "https://p.example/{code}"}, "give completed_code too"),
        (GENERIC | {"study_param": "ID"}, "two parameters have the same name"),
        ({"platform": "sona", "signed": "jwt"}, "is Prolific's"),
        ({"name": "<b>"}, "name"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(given, words):
    with pytest.raises(BadInputError, match=words):
        crowd(**given)


def test_platforms_name_becomes_the_slug_of_its_identities():
    assert crowd(platform="generic", name="Be Sample 2").slug == "be-sample-2"
    assert crowd(platform="prolific").slug == "prolific"
