"""Building a prompt set from a log on a page: brought, built by a worker, seen, kept."""

import gzip
import json
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import LogBuild, PromptSet
from evalplatform.promptsets.services import log_builds
from evalplatform.promptsets.services.log_choices import category_shares
from evalplatform.uploads.models import SentFile
from tests.promptsets.test_build import ANIMALS, LINES, answering
from tests.uploads import sending

pytestmark = pytest.mark.django_db
BASE = "/prompts/logs/build/"


@pytest.fixture
def woken(monkeypatch):
    """The builds that workers were woken for."""
    keys = []
    monkeypatch.setattr(log_builds, "_wake", keys.append)
    return keys


@pytest.fixture
def bring(client, rania):
    client.force_login(rania)

    def bring(rows, name="asked.jsonl"):
        content = "".join(f"{json.dumps(each)}\n" for each in rows).encode()
        answer = client.post(BASE, {"file": SimpleUploadedFile(name, content)})
        assert answer.status_code == 302, answer.content.decode()
        return LogBuild.objects.latest("pk"), answer["Location"]

    return bring


def choices(**more):
    shares = {f"share-{name}": "1" for name in category_shares()}
    return {"action": "build", "column": "said", "size": "20", "language": "en", "near": "0.8",
            "seed": "3", "strip": "1"} | shares | more  # fmt: skip


def test_log_is_brought_built_seen_and_kept(
    client, bring, woken, django_capture_on_commit_callbacks, tmp_path, settings
):
    settings.VAR_DIR = tmp_path
    build, page = bring([{"said": each, "when": at} for at, each in enumerate(LINES)])
    assert build.columns == ["said", "when"]
    assert "an 8k".replace("an ", "") in client.get(page).content.decode()  # its first rows
    refused = client.post(page, choices(**{"share-animals": "-1"}))
    assert refused.status_code == 422
    with django_capture_on_commit_callbacks(execute=True):
        client.post(page, choices(**{"share-food": "0"}))
    assert woken == [build.pk]
    assert "data-poll" in client.get(page).content.decode()
    assert client.post(page, choices()).status_code == 200  # refused: it is being built
    now = timezone.now()
    assert log_builds.run_build(key=build.pk, now=now).state == "ready"
    assert log_builds.run_build(key=build.pk, now=now) is None
    assert not list((tmp_path / "log-builds").iterdir())

    shown = client.get(page).content.decode()
    assert "data-poll" not in shown
    assert "two nudes in a garden" in shown  # an example of what went
    assert "jo@example.org" not in shown  # but not of personal data
    build.refresh_from_db()
    assert build.recipe["recipe"]["shares"]["food"] == 0
    out = b"".join(client.get(f"{page}dropped/").streaming_content)
    rows = [json.loads(line) for line in gzip.decompress(out).splitlines()]
    funnel = build.recipe["funnel"]
    assert len(rows) + funnel["prompts"] == funnel["lines"] == len(LINES)
    assert all(row["reason"] for row in rows)

    with django_capture_on_commit_callbacks(execute=True):
        client.post(page, {"action": "keep", "name": "asked", "licence": "ours"})
    kept = PromptSet.objects.get()
    assert (kept.name, kept.licence, kept.recipe) == ("asked", "ours", build.recipe)
    assert kept.prompts.count() == funnel["prompts"]
    assert not default_storage.exists(build.log)  # what people wrote is not kept longer
    log_builds.forget_old(now=now + timedelta(days=15))
    assert not LogBuild.objects.exists()
    assert not default_storage.exists(build.dropped)
    assert PromptSet.objects.count() == 1


def test_build_that_leaves_nothing_says_where_the_lines_went(client, bring, woken):
    build, page = bring([{"said": "jo@example.org"}, {"said": "two nudes"}])
    client.post(page, choices())
    log_builds.run_build(key=build.pk, now=timezone.now())
    shown = client.get(page).content.decode()
    assert "no line of asked.jsonl is left" in shown
    assert str(log_builds.settings.VAR_DIR) not in shown
    build.refresh_from_db()
    ((reason, (line,)),) = [each for each in build.examples.items() if "unsafe" in each[0]]
    assert (line["line"], line["text"]) == (2, "two nudes")
    assert reason in shown


def test_build_that_is_thrown_away_stops_and_leaves_nothing(client, bring, woken, monkeypatch):
    build, page = bring([{"said": f"a {animal} in the snow"} for animal in ANIMALS])
    client.post(page, choices())
    made = log_builds.build_prompts

    def thrown_away(**more):
        client.post(page, {"action": "forget"})
        return made(**more)

    monkeypatch.setattr(log_builds, "build_prompts", thrown_away)
    assert log_builds.run_build(key=build.pk, now=timezone.now()) is None
    assert not default_storage.exists(build.log)
    assert not PromptSet.objects.exists()


def test_build_that_is_long_in_storing_stays_with_its_worker(client, bring, woken, monkeypatch):
    build, page = bring([{"said": f"a {animal} in the snow"} for animal in ANIMALS])
    client.post(page, choices())
    pack, others = log_builds._store, []

    def slow(*args, **more):
        silent = timezone.now() - log_builds.SILENT - timedelta(minutes=1)
        LogBuild.objects.update(beaten_at=silent)
        others.append(log_builds.run_build(key=build.pk, now=timezone.now()))
        pack(*args, **more)

    monkeypatch.setattr(log_builds, "_store", slow)
    assert log_builds.run_build(key=build.pk, now=timezone.now()).state == "ready"
    assert others == [None]


def test_log_that_a_killed_worker_left_goes_once_its_build_is_thrown_away(
    client, bring, woken, monkeypatch, tmp_path, settings
):
    settings.VAR_DIR = tmp_path
    build, page = bring([{"said": f"a {animal} in the snow"} for animal in ANIMALS])
    client.post(page, choices())

    def killed(*args, **more):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(log_builds, "_store", killed)
        with pytest.raises(SystemExit):
            log_builds.run_build(key=build.pk, now=timezone.now())
    assert log_builds.run_build(key=build.pk + 1, now=timezone.now()) is None
    assert [each.name for each in (tmp_path / "log-builds").iterdir()] == [str(build.pk)]
    client.post(page, {"action": "forget"})
    assert log_builds.run_build(key=build.pk + 1, now=timezone.now()) is None
    assert not list((tmp_path / "log-builds").iterdir())


def built(client, bring):
    build, page = bring([{"said": f"a {animal} in the snow"} for animal in ANIMALS])
    client.post(page, choices())
    return log_builds.run_build(key=build.pk, now=timezone.now())


def test_what_two_people_keep_at_once_is_kept_once(client, bring, woken):
    build = built(client, bring)
    seen_before = LogBuild.objects.get(pk=build.pk)
    log_builds.keep_build(build=build, name="mine", licence="")
    with pytest.raises(BadInputError, match="build it first"):
        log_builds.keep_build(build=seen_before, name="yours", licence="")
    assert PromptSet.objects.get().name == "mine"


def test_worker_that_was_given_up_and_comes_late_takes_nothing_away(
    client, bring, woken, monkeypatch
):
    """Both make the same files, by the same names: those of who was first stay."""
    build, page = bring([{"said": f"a {animal} in the snow"} for animal in ANIMALS])
    client.post(page, choices())
    store, late = log_builds._store, []

    def stored(build, made, **results):
        store(build, made, **results)
        if not late:
            late.append(True)
            store(build, made, **results)

    monkeypatch.setattr(log_builds, "_store", stored)
    build = log_builds.run_build(key=build.pk, now=timezone.now())
    assert late
    assert build.state == "ready"
    assert default_storage.exists(build.dropped)
    assert default_storage.exists(build.prompts)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", b"", "has 0 bytes"),
        ("log.docx", b"x", "the format cannot be told"),
        ("log.parquet", b"no parquet", "cannot be read as parquet"),
        ("log.csv.gz", b"\x1f\x8bbroken", "cannot be read"),
    ],
)
def test_what_is_no_log_is_refused(client, rania, name, content, said):
    client.force_login(rania)
    answer = client.post(BASE, {"file": SimpleUploadedFile(name, content)})
    page = answer.content.decode()
    assert said in page or "submitted file is empty" in page
    assert not LogBuild.objects.exists()


def test_own_lists_and_the_sites_server_have_their_say(client, bring, woken, settings):
    build, page = bring([{"said": f"a {animal} in the snow"} for animal in ANIMALS])
    shown = client.get(page).content.decode()
    assert "Reword" not in shown  # this site names no server
    spoilt = SimpleUploadedFile("unsafe.toml", b"crime = 5")
    answer = client.post(page, choices() | {"list-unsafe": spoilt})
    assert answer.status_code == 422
    assert "unsafe.toml: crime must be a list of texts" in answer.content.decode()

    def answer_of(path, body, key):
        said = body["messages"][1]["content"].replace("in the", "on white")
        assert (path, key) == ("/v1/chat/completions", "Bearer secret")
        return 200, {"choices": [{"message": {"content": said}}]}

    with answering(answer_of) as url:
        settings.PARAPHRASE_URL, settings.PARAPHRASE_MODEL = url, "tiny"
        settings.PARAPHRASE_API_KEY = "secret"
        assert "Reword the chosen prompts by tiny" in client.get(page).content.decode()
        files = {
            "list-unsafe": SimpleUploadedFile("mine.toml", b'hunting = ["fox"]'),
            "list-categories": SimpleUploadedFile(
                "c.toml", b'[birds]\nshare = 1\nwords = ["owl"]\n[rest]\nshare = 9\nrest = true\n'
            ),
        }
        assert client.post(page, choices(reword="1") | files).status_code == 302
        built = log_builds.run_build(key=build.pk, now=timezone.now())
    assert built.state == "ready", built.error
    assert built.examples["unsafe: hunting"][0]["text"] == "a fox in the snow"
    assert set(built.recipe["funnel"]["balance"]) == {"birds", "rest"}
    assert built.recipe["paraphrase"] == "tiny"
    assert built.recipe["funnel"]["reworded"] == len(ANIMALS) - 1
    assert "Yours, from before" in client.get(page).content.decode()
    client.post(page, choices(ours="1"))
    build.refresh_from_db()
    assert build.choices["lists"] == {}


def test_server_that_stays_away_is_told_without_a_command(client, bring, woken, settings):
    build, page = bring([{"said": f"a {animal} in the snow"} for animal in ANIMALS])
    with answering(lambda *asked: (401, {})) as url:
        settings.MODERATION_URL = url
        client.post(page, choices(moderate="1"))
        built = log_builds.run_build(key=build.pk, now=timezone.now())
    assert built.state == "failed"
    assert built.error == (
        f"{url} did not answer moderations (status 401); build again once it answers, or without "
        "it."
    )


def test_large_log_is_sent_in_parts_and_goes_on(client, rania, tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path
    client.force_login(rania)
    content = "".join(f"a {animal} in the snow\n" for animal in ANIMALS).encode()
    url = sending.begin(client, "asked.txt", len(content))["Location"]
    sending.part(client, url, 0, content[:100])
    sent = url.split("/")[-2]
    refused = client.post(BASE, {"sent": sent})
    assert "has not arrived whole: 100 of" in refused.content.decode()
    sending.part(client, url, sending.offset(client, url), content[100:])
    answer = client.post(BASE, {"sent": sent})
    build = LogBuild.objects.get()
    assert answer["Location"] == f"{BASE}{build.pk}/"
    assert (build.file_name, build.size_bytes, build.columns) == ("asked.txt", len(content), [])
    with default_storage.open(build.log) as stored:
        assert stored.read() == content
    assert "are not known" in client.post(BASE, {"sent": sent}).content.decode()


def test_sent_log_that_cannot_be_read_may_be_asked_for_again(client, rania, tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path
    client.force_login(rania)
    sent = sending.send(client, "asked.parquet", b"no parquet")
    for _ in range(2):
        assert "failure" in client.post(BASE, {"sent": sent}).content.decode()
    assert not LogBuild.objects.exists()
    assert SentFile.objects.get().is_whole


def test_log_with_a_long_name_keeps_its_ending(bring):
    build, _ = bring([{"said": each} for each in LINES[:3]], name="说" * 80 + ".jsonl")
    assert build.file_name.endswith("说.jsonl")
    assert len(build.file_name.encode()) <= 200


def test_log_counts_as_unfinished_until_it_is_thrown_away(client, bring, tmp_path, settings):
    settings.CHECKPOINT_DIR = tmp_path
    build, page = bring([{"said": each} for each in LINES])
    settings.PROJECT_UPLOAD_BYTES = build.size_bytes + 10
    refused = sending.begin(client, "more.jsonl", 20)
    assert "throw away logs" in refused.content.decode()
    client.post(page, {"action": "forget"})
    assert sending.begin(client, "more.jsonl", 20).status_code == 201


@pytest.mark.parametrize("sent", ["x", "3d213d27-d5cd-4fd7-ad29-3ed14f395f12", "a,b"])
def test_file_that_was_never_sent_is_refused_in_words(client, rania, tmp_path, settings, sent):
    settings.CHECKPOINT_DIR = tmp_path / "not there yet"
    client.force_login(rania)
    said = client.post(BASE, {"sent": sent}).content.decode()
    assert "names no file that was sent" in said or "are not known" in said


def ask_api(client, method, path, **body):
    send = getattr(client, method)
    return send(f"/api/v1/log-builds{path}", json.dumps(body), content_type="application/json")


def test_build_by_the_api_is_begun_read_listed_and_kept(
    client, rania, woken, tmp_path, settings, django_capture_on_commit_callbacks
):
    settings.CHECKPOINT_DIR = tmp_path
    client.force_login(rania)
    rows = "".join(f'{{"said": "a {animal} in the snow"}}\n' for animal in ANIMALS).encode()
    sent = sending.send(client, "asked.jsonl", rows)
    wrong = ask_api(client, "post", "", sent=sent, column="told")
    assert wrong.status_code == 422
    assert "its columns: said" in wrong.json()["detail"]
    assert not LogBuild.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        begun = ask_api(client, "post", "", sent=sent, column="said", size=5, seed=3)
    assert (begun.status_code, begun.json()["state"]) == (202, "queued")
    assert woken == [begun.json()["id"]]
    assert not SentFile.objects.exists()
    log_builds.run_build(key=woken[0], now=timezone.now())
    read = client.get(f"/api/v1/log-builds/{woken[0]}").json()
    assert (read["state"], read["funnel"]["prompts"]) == ("ready", 5)
    (listed,) = client.get("/api/v1/log-builds").json()["items"]
    assert listed == read
    kept = ask_api(client, "post", f"/{woken[0]}/keep", name="asked", licence="ours").json()
    assert (kept["name"], kept["version"], kept["prompts"]) == ("asked", 1, 5)
    read = client.get(f"/api/v1/log-builds/{woken[0]}").json()
    assert (read["state"], read["prompt_set"]) == ("kept", "asked@1")
    assert ask_api(client, "delete", f"/{woken[0]}").status_code == 204
    assert PromptSet.objects.count() == 1
