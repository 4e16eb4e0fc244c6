"""Crowd platforms: known when they come, let out when they finish, their work given back."""

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from evalplatform.accounts.models import Annotator, CrowdIdentity
from evalplatform.annotation.doors.signatures import signature
from evalplatform.annotation.doors.wording import door_in_words
from evalplatform.annotation.models import Assignment, CrowdVisit, Enrolment, Vote
from evalplatform.annotation.services import exclude, open_campaign
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"headers": {"accept": "application/json"}}
PROLIFIC = {"PROLIFIC_PID": "5f1e0a", "STUDY_ID": "study1", "SESSION_ID": "session1"}
RULES = {
    "annotation": {"session_cap": 2},
    "crowd": {"completed_code": "CDONE", "screened_out_code": "COUT"},
}


@pytest.fixture
def campaign():
    made = factories.make_draft(rules=RULES)
    open_campaign(campaign=made)
    return made


@pytest.fixture
def url(campaign):
    return reverse("annotation:work", args=[campaign.invitation])


def come(url, query):
    client = Client()
    client.get(url, query)
    client.post(url + "begin/")
    return client


def state_of(client, url):
    return client.get(url + "next/", **JSON).json()


def finish(client, url):
    while (state := state_of(client, url))["state"] == "judge":
        pair = state["sets"][0]
        body = {name: pair[name] for name in ("assignment", "idempotency_key")}
        client.post(url + "vote/", body | {"answer": "left"}, **JSON)
    return state


def test_prolific_ids_leave_the_address_bar_and_are_kept_with_the_enrolment(client, url):
    response = client.get(url, PROLIFIC)
    assert response["Location"] == url
    client.post(url + "begin/")
    visit = CrowdVisit.objects.get()
    assert (visit.study_id, visit.session_id) == ("study1", "session1")
    assert visit.enrolment.annotator.crowd_identity.external_id == "5f1e0a"


def test_way_back_to_prolific_comes_with_the_end_and_not_before(url):
    client = come(url, PROLIFIC)
    assert "exit" not in state_of(client, url)
    state = finish(client, url)
    assert state["state"] == "finished"
    assert state["exit"] == {
        "url": "https://app.prolific.com/submissions/complete?cc=CDONE",
        "label": "Return to Prolific",
    }
    assert Vote.objects.count() == 2


def test_who_is_excluded_goes_back_with_the_other_code(url):
    from django.utils import timezone

    client = come(url, PROLIFIC)
    exclude(enrolment=Enrolment.objects.get(), rule="manual", detail="-", now=timezone.now())
    state = state_of(client, url)
    assert state["state"] == "disqualified"
    assert state["exit"]["url"].endswith("?cc=COUT")


def test_visitor_without_a_platform_has_no_exit(url, client):
    client.post(url + "begin/")
    assert finish(client, url)["exit"] is None


@pytest.mark.parametrize("pid", ["{{%PROLIFIC_PID%}}", "", "a" * 129, "<script>"])
def test_id_a_platform_would_not_send_is_refused(client, url, pid):
    response = client.get(url, PROLIFIC | {"PROLIFIC_PID": pid})
    assert response.status_code == 400
    assert "open the study from the platform again" in response.content.decode()
    assert CrowdIdentity.objects.count() == 0


def test_lower_case_parameters_are_as_good(client, url):
    assert client.get(url, {"prolific_pid": "5f1e0a", "session_id": "v"})["Location"] == url
    client.post(url + "begin/")
    assert Annotator.objects.get().crowd_identity.external_id == "5f1e0a"


def test_any_panel_is_known_and_sent_back_where_the_rules_say(client):
    crowd = {
        "platform": "generic", "name": "My Panel", "id_param": "tic", "session_param": "visit",
        "completed": "https://panel.example/done?tic={id}&v={session}",
    }  # fmt: skip
    campaign = factories.make_draft(rules={"annotation": {"session_cap": 1}, "crowd": crowd})
    open_campaign(campaign=campaign)
    url = reverse("annotation:work", args=[campaign.invitation])
    client.get(url, {"TIC": "a.1", "Visit": "v~1", "completed": "https://evil.example"})
    assert "takes you back to My Panel" in client.get(url).content.decode()
    client.post(url + "begin/")
    assert CrowdIdentity.objects.get().platform == "my-panel"
    assert finish(client, url)["exit"] == {
        "url": "https://panel.example/done?tic=a.1&v=v~1", "label": "Return to My Panel"
    }  # fmt: skip


def test_unsigned_arrival_is_refused_where_the_rules_want_a_signature(client, settings):
    settings.CROWD_SECRET = "a secret"
    crowd = {"platform": "generic", "name": "Panel", "signed": "hmac"}
    campaign = factories.make_draft(rules={"crowd": crowd})
    open_campaign(campaign=campaign)
    url = reverse("annotation:work", args=[campaign.invitation])
    response = client.get(url, {"id": "p1"})
    assert response.status_code == 400
    assert "signature of Panel" in response.content.decode()
    client.get(url, {"id": "p1", "signature": signature({"id": "p1"}, "a secret")})
    client.post(url + "begin/")
    assert CrowdVisit.objects.get().is_proven


@pytest.mark.parametrize(
    ("signed", "said"), [("no", "belongs to whoever comes with it first"), ("hmac", "signed")]
)
def test_door_and_protocol_say_what_an_id_of_the_platform_proves(settings, signed, said):
    settings.CROWD_SECRET = "a secret"
    crowd = {"platform": "generic", "name": "Panel", "signed": signed}
    rules = {"annotation": {"door": "crowd"}, "crowd": crowd}
    campaign = factories.make_draft(prompts=1, rules=rules)
    open_campaign(campaign=campaign)
    assert said in door_in_words(campaign)
    assert said in campaign.protocol["rules"]["crowd_ids"]


def test_no_page_can_be_framed(client, url):
    response = client.get(url)
    assert response["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in response["Content-Security-Policy"]


def test_returned_and_timed_out_work_is_released(campaign, url, tmp_path, capsys):
    come_and_hold = [come(url, PROLIFIC | {"PROLIFIC_PID": pid}) for pid in ("p1", "p2", "p3")]
    for client in come_and_hold:
        assert state_of(client, url)["state"] == "judge"
    table = tmp_path / "prolific.csv"
    table.write_text(
        "Submission id,Participant id,Status\ns1,p1,RETURNED\ns2,p2,TIMED-OUT\ns3,p3,ACTIVE\n"
    )
    call_command("release_work", campaign.slug, "--prolific", str(table))
    assert "2 annotators" in capsys.readouterr().out
    holders = Assignment.objects.pending().exclude(annotator=None)
    assert {row.annotator.crowd_identity.external_id for row in holders} == {"p3"}
    assert state_of(come_and_hold[0], url)["state"] == "returned"


def test_who_returned_and_comes_for_a_new_session_goes_on(campaign, url, capsys):
    client = come(url, PROLIFIC)
    call_command("release_work", campaign.slug, "--annotator=5f1e0a")
    client.get(url, PROLIFIC | {"SESSION_ID": "session2"})
    assert state_of(client, url)["state"] == "judge"


def test_release_work_refuses_a_table_of_another_kind(campaign, tmp_path):
    table = tmp_path / "other.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match="Participant id"):
        call_command("release_work", campaign.slug, "--prolific", str(table))


def test_roster_lists_who_did_what_for_paying_them(campaign, url, capsys):
    finish(come(url, PROLIFIC), url)
    call_command("list_annotators", campaign.slug)
    out = capsys.readouterr().out
    assert "platform,external_id,pseudonym,judged,status" in out
    assert '"prolific","5f1e0a",' in out
    assert ',2,"active"' in out


def test_questionnaire_is_asked_at_the_end_and_listed_by_pseudonym(capsys):
    question = {"name": "screen", "label": "Screen?", "choices": ["phone", "computer"]}
    free = {"name": "remarks", "label": "Remarks?", "kind": "text"}
    campaign = factories.make_draft(rules=RULES | {"questionnaire": [question, free]})
    open_campaign(campaign=campaign)
    url = reverse("annotation:work", args=[campaign.invitation])
    client = come(url, PROLIFIC)
    state = finish(client, url)
    assert state["state"] == "questionnaire"
    assert [each["name"] for each in state["questionnaire"]] == ["screen", "remarks"]
    assert "exit" not in state
    wrong = client.post(url + "questionnaire/", {"screen": "watch"}, **JSON)
    assert "choose one of phone, computer" in wrong.json()["error"]
    fields = {"screen": "phone", "remarks": "=1+1"}
    assert client.post(url + "questionnaire/", fields, **JSON).json()["next"]["state"] == "finished"
    call_command("list_annotators", campaign.slug, "--questionnaire")
    pseudonym = Annotator.objects.get().pseudonym
    lines = f'pseudonym,screen,remarks\n"{pseudonym}","phone",'
    assert capsys.readouterr().out == f'{lines}"=1+1"\n'
    call_command("list_annotators", campaign.slug, "--questionnaire", "--for=excel")
    assert capsys.readouterr().out == f'\ufeff{lines}"\'=1+1"\n'
