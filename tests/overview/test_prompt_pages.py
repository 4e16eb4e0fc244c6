"""Prompt sets on pages: a look into one, uploading with a preview, tags as a new version."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction

from evalplatform.accounts.members import create_project
from evalplatform.accounts.projects import default_project
from evalplatform.promptsets.models import Prompt, PromptSet, PromptUpload
from evalplatform.promptsets.services import import_content

pytestmark = pytest.mark.django_db

CSV = (
    "caption,kind,Tags\n"
    "a red fox,Animals,\n"
    "a sketch of an owl,Animals,flat\n"
    '"<b>bold</b> car",Vehicles,\n'
)


@pytest.fixture
def page(client, rania):
    client.force_login(rania)
    return client


@pytest.fixture
def prompts(rania):
    columns = {"prompt": "caption", "category": "kind"}
    return import_content(
        project=default_project(), name="mine", content=CSV.encode(), source="mine.csv",
        columns=columns,
    ).prompt_set  # fmt: skip


def uploaded(page, content, name="mine.csv"):
    file = SimpleUploadedFile(name, content if isinstance(content, bytes) else content.encode())
    return page.post("/prompts/upload/", {"file": file})


def test_list_names_each_version_and_counts_what_is_stylized(page, prompts):
    said = page.get("/prompts/").content.decode()
    assert "/prompts/mine/1/" in said
    page.post("/prompts/mine/1/tags/", {"action": "rule"})
    assert "/prompts/mine/2/" in page.get("/prompts/").content.decode()


def test_empty_list_says_what_to_do(page):
    said = page.get("/prompts/").content.decode()
    assert "No prompt sets yet" in said
    assert "/prompts/upload/" in said


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {0, 1, 2}),
        ("?find=FOX", {0}),
        ("?category=Vehicles", {2}),
        ("?tag=flat", {1}),
        ("?tag=-", {0, 2}),
        ("?category=Animals&find=sketch", {1}),
        ("?find=%00&page=99", {0, 1, 2}),
        ("?category=none", set()),
    ],
)
def test_filter_leaves_the_prompts_that_fit(page, prompts, query, shown):
    answer = page.get(f"/prompts/mine/1/{query}")
    assert {each.position for each in answer.context["table"].rows} == shown
    said = answer.content.decode()
    assert "<b>bold" not in said
    assert ("No prompt fits" in said) == (not shown)


def test_bar_of_a_histogram_filters_and_takes_its_filter_off(page, prompts):
    bars = page.get("/prompts/mine/1/?find=a").context["categories"]
    assert [(bar.name, bar.count, bar.query) for bar in bars] == [
        ("Animals", 2, "?find=a&category=Animals"),
        ("Vehicles", 1, "?find=a&category=Vehicles"),
    ]
    bars = page.get("/prompts/mine/1/?category=Animals").context["categories"]
    assert (bars[0].query, bars[0].is_shown) == ("?", True)


def test_rule_tags_make_a_version_and_leave_the_old_one(page, prompts):
    answer = page.post("/prompts/mine/1/tags/", {"action": "rule"})
    assert answer["Location"] == "/prompts/mine/2/"
    new = PromptSet.objects.get(name="mine", version=2)
    tags = list(new.prompts.order_by("position").values_list("tags", flat=True))
    assert tags == [[], ["flat", "stylized"], []]
    assert list(prompts.prompts.values_list("tags", flat=True)) == [[], ["flat"], []]
    assert (new.recipe["made_from"], new.recipe["tagging"]["rule"]) == ("mine@1", "stylized")
    again = page.post("/prompts/mine/2/tags/", {"action": "rule"})
    assert again["Location"] == "/prompts/mine/2/"
    assert page.post("/prompts/mine/1/tags/", {"action": "rule"})["Location"] == "/prompts/mine/2/"


def test_tag_by_hand_goes_to_those_ticked_or_to_all_that_were_found(page, prompts):
    page.post("/prompts/mine/1/tags/", {"action": "give", "tag": "hard", "position": ["0", "2"]})
    tags = PromptSet.objects.get(version=2).prompts.values_list("position", "tags")
    assert dict(tags) == {0: ["hard"], 1: ["flat"], 2: ["hard"]}
    page.post(
        "/prompts/mine/2/tags/",
        {"action": "take", "tag": "hard", "all": "1", "category": "Animals"},
    )
    tags = PromptSet.objects.get(version=3).prompts.values_list("position", "tags")
    assert dict(tags) == {0: [], 1: ["flat"], 2: ["hard"]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tag": "a,b", "position": "0"},
        {"tag": "", "position": "0"},
        {"tag": "x" * 201, "position": "0"},
        {"tag": "x"},
        {"tag": "x", "position": "7"},
        {"tag": "x", "position": "-1"},
        {"tag": "x\u202e", "position": "0"},
    ],
)
def test_tag_that_cannot_be_is_refused_and_nothing_is_made(page, prompts, wrong):
    page.post("/prompts/mine/1/tags/", {"action": "give", **wrong})
    assert PromptSet.objects.count() == 1


def test_what_a_set_holds_never_changes(prompts):
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        Prompt.objects.filter(prompt_set=prompts).update(tags=["stylized"])
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        PromptSet.objects.filter(pk=prompts.pk).update(version=9)


def test_download_can_be_imported_again_to_the_same_prompts(page, prompts):
    answer = page.get("/prompts/mine/1/prompts.jsonl")
    content = b"".join(answer.streaming_content)
    assert json.loads(content.splitlines()[1]) == {
        "prompt": "a sketch of an owl", "category": "Animals", "challenge": "", "note": "",
        "tags": ["flat"],
    }  # fmt: skip
    again = import_content(
        project=default_project(), name="again", content=content, source="a.jsonl"
    ).prompt_set
    fields = ("text", "category", "challenge", "note", "tags")
    assert list(again.prompts.values_list(*fields)) == list(prompts.prompts.values_list(*fields))


def test_upload_says_that_it_needs_a_project_of_several(page, rania):
    create_project(name="second", owner=rania)
    answer = uploaded(page, CSV)
    assert (
        "you are in several projects; say in which this belongs: default, second."
        in answer.content.decode()
    )
    assert not PromptUpload.objects.exists()


def test_upload_is_looked_at_mapped_and_then_imported(page):
    where = uploaded(page, CSV)["Location"]
    look = page.get(where).context["look"]
    assert "has no column Prompt" in look.fault
    assert look.columns == ["caption", "kind", "Tags"]
    assert not PromptSet.objects.exists()
    chosen = {"column-prompt": "caption", "column-category": "kind", "column-tags": "-"}
    look = page.get(where, chosen).context["look"]
    assert (look.count, look.rows[0].text, look.rows[1].tags) == (3, "a red fox", [])
    answer = page.post(where, {**chosen, "action": "import", "name": "brought", "licence": "MIT"})
    assert answer["Location"] == "/prompts/brought/1/"
    made = PromptSet.objects.get()
    assert (made.source, made.licence, made.prompts.count()) == ("mine.csv", "MIT", 3)
    assert not PromptUpload.objects.exists()


@pytest.mark.parametrize(
    ("content", "name", "fault"),
    [
        ("prompt\na\n\na\n", "a.csv", "repeated prompts: 1 (line 4 as 2)"),
        (b"prompt\n\xff\n", "a.csv", "line 2 is not UTF-8"),
        ('{"prompt": "a"}\n{"pro', "a.jsonl", "line 2 is not JSON"),
        ("PK\x03\x04", "a.csv", "an Excel workbook"),
        (b"PAR1nothing", "a.parquet", "cannot be read as parquet"),
    ],
)
def test_preview_tells_the_line_that_is_wrong(page, content, name, fault):
    where = uploaded(page, content, name)["Location"]
    answer = page.get(where)
    assert fault in answer.context["look"].fault
    page.post(where, {"action": "import", "name": "x"})
    assert not PromptSet.objects.exists()
    page.post(where, {"action": "forget"})
    assert not PromptUpload.objects.exists()


def test_name_that_cannot_be_keeps_the_file_and_what_was_chosen(page):
    where = uploaded(page, CSV)["Location"]
    answer = page.post(where, {"action": "import", "name": "no name", "column-prompt": "caption"})
    assert "cannot name a prompt set" in answer.content.decode()
    assert answer.context["look"].count == 3
    assert PromptUpload.objects.exists()


@pytest.mark.parametrize(("name", "content"), [("a.doc", "x"), ("a.csv", ""), ("noending", "x")])
def test_file_of_no_known_kind_is_not_kept(page, name, content):
    assert uploaded(page, content, name).status_code == 200
    assert not PromptUpload.objects.exists()
