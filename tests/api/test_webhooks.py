"""Webhooks: written down with what they tell, signed, sent until taken, and to nobody inside."""

import base64
import hashlib
import hmac
import http.server
import json
import socket
import ssl
import subprocess
import threading
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from evalplatform.accounts.models import AuditEntry
from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.campaigns.services import close_campaign, pause_campaign, resume_campaign
from evalplatform.core.errors import BadInputError
from evalplatform.curation.services import scoring_claims as claims
from evalplatform.curation.services.scoring import ScoringPlan, request_scoring
from evalplatform.webhooks import posting, services, signing
from evalplatform.webhooks.models import WebhookDelivery, WebhookEndpoint
from evalplatform.webhooks.posting import Reach, UnreachableError, WebhookAnswer
from tests import factories

pytestmark = pytest.mark.django_db
EVERY = WebhookEndpoint.Event.values
URL = "https://1.1.1.1/hook"


@pytest.fixture
def made(db):
    return services.create_webhook(
        project=default_project(), url=URL, events=EVERY, description="", user=None
    )


@pytest.fixture
def endpoint(made):
    return made[0]


def told():
    return list(WebhookDelivery.objects.order_by("pk").values_list("event", "subject"))


def test_each_step_of_a_campaign_is_written_down(endpoint, draft):
    open_campaign(campaign=draft)
    pause_campaign(campaign=draft)
    resume_campaign(campaign=draft)
    close_campaign(campaign=draft)
    events = ["campaign.opened", "campaign.paused", "campaign.resumed", "campaign.closed"]
    assert told() == [(each, draft.slug) for each in events]
    payload = WebhookDelivery.objects.first().payload
    assert (payload["type"], payload["data"]["campaign"]) == ("campaign.closed", draft.slug)


def test_what_is_taken_back_is_not_told(endpoint, campaign):
    WebhookDelivery.objects.all().delete()
    with transaction.atomic():
        pause_campaign(campaign=campaign)
        transaction.set_rollback(True)
    assert told() == []


def test_only_subscribed_events_of_the_own_project_are_told(endpoint, campaign):
    services.change_webhook(endpoint=endpoint, events=["campaign.closed"])
    WebhookDelivery.objects.all().delete()
    pause_campaign(campaign=campaign)
    close_campaign(campaign=campaign)
    assert told() == [("campaign.closed", campaign.slug)]


def test_a_campaign_is_complete_once(endpoint, ana, ben):
    campaign = factories.make_draft(prompts=1, k=1, criteria=["visual_appeal"])
    open_campaign(campaign=campaign)
    services.tell_completed()
    assert "campaign.completed" not in [event for event, _ in told()]
    enrolment = enrol(campaign=campaign, annotator=ana)
    factories.vote(enrolment, factories.lease(enrolment))
    for _ in range(2):
        services.tell_completed()
    assert [event for event, _ in told()].count("campaign.completed") == 1


def test_a_failed_batch_is_told_with_its_reason(endpoint, draft):
    request = factories.make_request("slow")
    checkpoint = draft.contenders[0].checkpoint
    batch = request.batches.create(checkpoint=checkpoint, settings=draft.settings)
    request.batches.filter(pk=batch.pk).update(status="failed", error="out of memory")
    (payload,) = WebhookDelivery.objects.values_list("payload", flat=True)
    assert payload["data"] == {"generation": "slow", "batch": batch.pk, "error": "out of memory"}


def test_a_failed_scoring_job_is_told_with_its_reason(endpoint, tmp_path):
    plan = ScoringPlan(scorers=["size"], out=tmp_path / "scores", data=tmp_path)
    request_scoring(project=default_project(), name="hay", plan=plan)
    listing = claims.claim_shard(worker="w", now=timezone.now())
    claims.fail_shard(shard=listing, error=OSError("no such folder"), now=timezone.now())
    assert told() == [("scoring.failed", "hay")]
    data = WebhookDelivery.objects.get().payload["data"]
    assert data == {"scoring": "hay", "number": 0, "error": "OSError: no such folder"}


# ---- sending ------------------------------------------------------------------------------------


class Post:
    """Stands in for the network: answers what it is told to."""

    def __init__(self, *answers):
        self.answers, self.sent = list(answers), []

    def __call__(self, url, body, headers, reach):
        self.sent.append((url, body, headers))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return WebhookAnswer(answer, "said")


def at(moment):
    """Return a clock that stands still."""
    return lambda: moment


def test_messages_are_signed_as_standard_webhooks_are(made):
    endpoint, secret = made
    now, post = timezone.now(), Post(200)
    services.send_test(endpoint=endpoint, now=now)
    assert services.deliver_due(now=at(now), send=post) == 1
    _, body, headers = post.sent[0]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body)["type"] == "webhook.test"
    assert WebhookDelivery.objects.get().status == "delivered"


def test_after_a_rotation_both_secrets_sign_for_a_day(endpoint):
    now, post = timezone.now(), Post(200)
    services.rotate_secret(endpoint=endpoint, now=now)
    for later, count in [(timedelta(hours=1), 2), (timedelta(hours=25), 1)]:
        services.send_test(endpoint=endpoint, now=now)
        services.deliver_due(now=at(now + later), send=post)
        assert len(post.sent[-1][2]["webhook-signature"].split(" ")) == count


def test_every_secret_of_the_last_day_signs(made):
    """Whoever presses twice, or two who do it at once, need not tell which secret is in use."""
    endpoint, first = made
    stale = WebhookEndpoint.objects.get()
    now, post = timezone.now(), Post(200)
    second = services.rotate_secret(endpoint=endpoint, now=now)
    third = services.rotate_secret(endpoint=stale, now=now + timedelta(hours=12))
    for hours, keys in [(23, [third, second, first]), (25, [third, second]), (37, [third])]:
        moment = now + timedelta(hours=hours)
        sent = services.send_test(endpoint=endpoint, now=now)
        services.deliver_due(now=at(moment), send=post)
        _, body, headers = post.sent[-1]
        expected = signing.headers(keys, sent.message_id, int(moment.timestamp()), body)
        assert headers["webhook-signature"] == expected["webhook-signature"]


def test_a_change_leaves_what_it_does_not_name(endpoint):
    """A worker switched it off while somebody had its page open."""
    stale = WebhookEndpoint.objects.get()
    services.change_webhook(endpoint=endpoint, is_active=False)
    services.change_webhook(endpoint=stale, description="nightly")
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.description) == (False, "nightly")


class Clock:
    """Goes on by itself: each sending takes as long as is said."""

    def __init__(self, now, seconds):
        self.now, self.takes = now, timedelta(seconds=seconds)

    def __call__(self):
        return self.now

    def send(self, *_):
        self.now += self.takes
        return WebhookAnswer(500, "away")


def test_a_message_is_leased_and_waits_from_when_it_is_sent(endpoint):
    """Twenty slow answers take longer than a lease: a second worker must not send the last ones."""
    clock = Clock(timezone.now(), 9)
    for _ in range(20):
        services.send_test(endpoint=endpoint, now=clock.now)

    def others(*_):
        latest = endpoint.deliveries.filter(attempts__gt=0).order_by("-next_attempt_at").first()
        assert latest.next_attempt_at > clock.now + timedelta(seconds=100)
        return clock.send()

    services.deliver_due(now=clock, most=21, send=others)
    first = endpoint.deliveries.order_by("pk").first()
    assert first.attempts > 1  # its five seconds were over long ago


def test_who_does_not_answer_keeps_nobody_waiting(endpoint):
    now, seen = timezone.now(), []
    other, _ = services.create_webhook(
        project=default_project(), url=f"{URL}/2", events=EVERY, description="", user=None
    )
    for each in [endpoint, endpoint, endpoint, other]:
        services.send_test(endpoint=each, now=now)

    def send(url, *_):
        seen.append(url)
        if url == URL:
            raise UnreachableError("no answer")
        return WebhookAnswer(200, "")

    services.deliver_due(now=at(now), send=send)
    assert seen == [URL, f"{URL}/2"]


def test_a_webhook_that_is_removed_while_it_is_told_stops_nothing(endpoint):
    now = timezone.now()
    services.send_test(endpoint=endpoint, now=now)

    def removed(*_):
        endpoint.delete()
        return WebhookAnswer(200, "")

    assert services.deliver_due(now=at(now), send=removed) == 1


def test_a_redirect_is_named_in_the_log(endpoint):
    now = timezone.now()
    services.send_test(endpoint=endpoint, now=now)
    services.deliver_due(now=at(now), send=Post(302))
    assert "not followed; make a webhook to the address" in endpoint.deliveries.get().answer


def test_a_secret_is_nowhere_in_the_database(made):
    endpoint, secret = made
    row = WebhookEndpoint.objects.values().get(pk=endpoint.pk)
    assert not any(secret in str(each) for each in row.values())
    assert "secret" not in AuditEntry.objects.filter(kind="webhook").first().after


def test_what_is_not_taken_is_sent_again_later_and_later(endpoint):
    now, post = timezone.now(), Post(500, UnreachableError("no connection"), 200)
    sent = services.send_test(endpoint=endpoint, now=now)
    services.deliver_due(now=at(now), send=post)
    assert services.deliver_due(now=at(now + timedelta(seconds=4)), send=post) == 0
    services.deliver_due(now=at(now + timedelta(seconds=5)), send=post)
    services.deliver_due(now=at(now + timedelta(seconds=70)), send=post)
    sent.refresh_from_db()
    assert (sent.status, sent.attempts) == ("delivered", 3)
    assert {each[2]["webhook-id"] for each in post.sent} == {sent.message_id}


def test_an_endpoint_that_takes_nothing_is_switched_off_and_says_why(endpoint):
    now, post = timezone.now(), Post(500)
    sent = services.send_test(endpoint=endpoint, now=now)
    for _ in range(len(services.WAITS) + 1):
        now += timedelta(days=1)
        services.deliver_due(now=at(now), send=post)
    sent.refresh_from_db()
    endpoint.refresh_from_db()
    assert (sent.status, sent.attempts, endpoint.is_active) == ("failed", 8, False)
    assert "given up after 8 attempts" in endpoint.why_inactive
    services.change_webhook(endpoint=endpoint, is_active=True)
    services.redeliver(delivery=sent, now=now)
    services.deliver_due(now=at(now), send=Post(204))
    sent.refresh_from_db()
    assert sent.status == "delivered"


def test_410_switches_off_at_once(endpoint):
    now = timezone.now()
    services.send_test(endpoint=endpoint, now=now)
    services.deliver_due(now=at(now), send=Post(410))
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.why_inactive) == (False, "it answered 410")


# ---- where it may go ----------------------------------------------------------------------------

INSIDE = [
    "127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0",
    "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "2002:7f00:1::", "::127.0.0.1", "fd00:ec2::254", "not an address",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_inside_is_outside(address):
    assert not posting.is_outside(address, Reach())


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_outside(address):
    assert posting.is_outside(address, Reach())


@pytest.mark.parametrize(
    "url",
    [
        "http://1.1.1.1/", "ftp://1.1.1.1/", "https://", "https://user:pass@1.1.1.1/", "nothing",
        "https://127.0.0.1/", "https://[::1]/", "https://0x7f.1/", "https://2130706433/",
        "https://1.1.1.1/#x", "https://1.1.1.1:0/", "https://1.1.1.1:99999/", "https://a b/",
        "https://1.1.1.1/\r\nHost: x", "https://localhost/", "https://[::ffff:10.0.0.1]/",
    ],
)  # fmt: skip
def test_addresses_that_lead_inside_or_nowhere_are_refused(db, url):
    with pytest.raises(BadInputError):
        services.create_webhook(
            project=default_project(), url=url, events=EVERY, description="", user=None
        )
    assert not WebhookEndpoint.objects.exists()


def test_a_name_that_leads_inside_later_reaches_nothing(monkeypatch):
    """DNS rebinding: what the name says at sending counts, and that is what is connected to."""
    connected = []
    monkeypatch.setattr(posting.socket, "create_connection", lambda *a, **k: connected.append(a))
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]
    outside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", 443))]
    monkeypatch.setattr(posting.socket, "getaddrinfo", lambda *a, **k: outside + inside)
    with pytest.raises(UnreachableError, match="leads to"):
        posting.post("https://rebinding.example/", b"", {}, Reach())
    assert not connected


@pytest.fixture
def receiver():
    """A server on this machine that writes down what comes, and what of it was heard to the end."""
    seen, heard_out = [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, dict(self.headers), body))
            if self.path == "/drip":
                self.connection.sendall(b"HTTP/1.1 200 OK\r\n")
                threading.Event().wait(3)
                return
            if self.path == "/drops":  # each sooner than a read times out
                for letter in b"HTTP/1.1 200 OK\r\n":
                    self.wfile.write(bytes([letter]))
                    threading.Event().wait(0.2)
                heard_out.append(self.path)
            if self.path == "/slow":
                threading.Event().wait(0.7)
            self.send_response(302 if self.path == "/elsewhere" else 200)
            self.send_header("Location", "/other")
            self.end_headers()
            self.wfile.write(b"x" * 100_000)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    server.seen, server.heard_out = seen, heard_out
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def here(server, path):
    return f"http://127.0.0.1:{server.server_port}{path}"


def test_post_follows_no_redirect_and_reads_little(receiver):
    reach = Reach(plain=True, allowed=(posting.ipaddress.ip_network("127.0.0.0/8"),))
    answer = posting.post(here(receiver, "/elsewhere"), b"{}", {"webhook-id": "msg_1"}, reach)
    assert (answer.status, len(answer.text) <= 500) == (302, True)
    assert [path for path, _, _ in receiver.seen] == ["/elsewhere"]
    assert receiver.seen[0][1]["webhook-id"] == "msg_1"
    with pytest.raises(UnreachableError, match="leads to"):
        posting.post(here(receiver, "/"), b"{}", {}, Reach(plain=True))


def test_an_answer_that_never_ends_is_cut(receiver, monkeypatch):
    monkeypatch.setattr(posting, "SECONDS", 0.5)
    reach = Reach(plain=True, allowed=(posting.ipaddress.ip_network("127.0.0.0/8"),))
    with pytest.raises(UnreachableError, match=r"no whole answer within 0\.5 seconds"):
        posting.post(here(receiver, "/drip"), b"{}", {}, reach)


def test_who_answers_late_but_in_time_is_heard(receiver, monkeypatch):
    monkeypatch.setattr(posting, "_CONNECTING_SECONDS", 0.3)  # the receiver thinks for 0.7
    reach = Reach(plain=True, allowed=(posting.ipaddress.ip_network("127.0.0.0/8"),))
    assert posting.post(here(receiver, "/slow"), b"{}", {}, reach).status == 200


@pytest.fixture
def encrypted(receiver, tmp_path, monkeypatch):
    """The receiver behind TLS, by a certificate that `posting` takes."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(cert, key)
    receiver.socket = served.wrap_socket(receiver.socket, server_side=True)
    trusted = ssl.create_default_context(cafile=str(cert))
    monkeypatch.setattr(posting.ssl, "create_default_context", lambda: trusted)
    return receiver


def test_an_answer_that_drips_is_cut_behind_tls_too(encrypted, monkeypatch):
    monkeypatch.setattr(posting, "SECONDS", 1.2)
    reach = Reach(allowed=(posting.ipaddress.ip_network("127.0.0.0/8"),))
    url = here(encrypted, "/drops").replace("http:", "https:")
    with pytest.raises(UnreachableError, match="no whole answer"):
        posting.post(url, b"{}", {}, reach)
    assert encrypted.seen
    assert not encrypted.heard_out


# ---- pages --------------------------------------------------------------------------------------


def test_page_adds_a_webhook_shows_its_secret_once_and_keeps_the_log(client, rania):
    client.force_login(rania)
    base = f"/projects/{default_project().name}/webhooks/"
    inside = client.post(base, {"url": "https://10.1.2.3/x", "events": ["export.ready"]})
    assert inside.status_code == 422
    assert "leads to 10.1.2.3, an address inside" in inside.content.decode()
    told = {"url": URL, "events": ["export.ready", "job.done"], "description": "nightly"}
    page = client.post(base, told).content.decode()
    endpoint = WebhookEndpoint.objects.get()
    secret = services.unseal(endpoint.secret, services._PURPOSE)
    assert secret in page
    own = f"{base}{endpoint.pk}/"
    assert secret not in client.get(own).content.decode()
    assert "nightly" in client.get(base).content.decode()

    client.post(f"{own}change/", {"action": "test"})
    now = timezone.now()
    assert "data-poll" in client.get(own).content.decode()  # on its way: asks again
    services.deliver_due(now=at(now), send=lambda *a: WebhookAnswer(503, "<b>away</b>"))
    page = client.get(own).content.decode()
    assert "&lt;b&gt;away" in page
    assert "<b>503</b>" in page
    assert "Send again" not in page  # it will be tried anyway
    services.deliver_due(now=at(now + timedelta(minutes=1)), send=Post(204))
    page = client.get(own).content.decode()
    assert "Send again" in page
    assert "data-poll" not in page
    message = endpoint.deliveries.get().message_id
    client.post(f"{own}{message}/again/")
    assert endpoint.deliveries.get().status == "pending"

    client.post(f"{own}change/", {"action": "pause"})
    assert "switched off by hand" in client.get(own).content.decode()
    assert client.post(f"{own}change/", {"action": "delete"}).status_code == 302
    assert not WebhookEndpoint.objects.exists()
