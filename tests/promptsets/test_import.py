"""Importing prompt files: kept to the byte, once, or refused with a line number."""

import hashlib
import http.server
import json
import os
import string
import threading
from contextlib import nullcontext
from pathlib import Path
from random import Random

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from evalplatform.accounts.projects import default_project
from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.promptsets.reading.prompts import read_prompts
from evalplatform.promptsets.selectors import prompt_set_named
from evalplatform.promptsets.services import import_prompt_set, importing

pytestmark = pytest.mark.django_db

TSV = "Prompt\tCategory\tChallenge\tNote\n"
# A copy beside the checkout is used where there is one; it is not ours to ship.
PARTI = Path(__file__).resolve().parents[2].parent / "shared" / "prompts" / "PartiPrompts.tsv"


def write(tmp_path, text, name="prompts.tsv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def imported(tmp_path, text, name="mine", file="prompts.tsv", **options):
    found = import_prompt_set(
        project=default_project(), name=name, source=write(tmp_path, text, file), **options
    )
    return found.prompt_set, found.is_new


def test_texts_are_kept_to_the_byte(tmp_path):
    rows = ['a "quoted sign', "trailing space ", '"both"', "it's; a, mixture"]
    text = TSV + "".join(f"{row}\tArts\tBasic\t\n" for row in rows)
    prompt_set, created = imported(tmp_path, text)
    assert created
    assert list(prompt_set.prompts.values_list("text", flat=True)) == rows


def test_columns_are_stored(tmp_path):
    text = "Prompt\tCategory\tChallenge\tNote\tTags\na cat\tAnimals\tBasic\twhy\tstylized, flat\n"
    imported(tmp_path, text)
    prompt = Prompt.objects.get()
    assert (prompt.category, prompt.challenge, prompt.note) == ("Animals", "Basic", "why")
    assert prompt.tags == ["stylized", "flat"]


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("stylized, oil painting", ["stylized", "oil painting"]),
        ('["stylized", "a, b"]', ["stylized", "a, b"]),
        ("['stylized', 'flat']", ["stylized", "flat"]),
        ("[]", []),
        ("[wip], flat", ["[wip]", "flat"]),
        ("[wip]", ["[wip]"]),
    ],
)
def test_tags_of_a_cell_are_a_list_or_have_commas_between(tmp_path, cell, tags):
    quoted = cell.replace('"', '""')
    imported(tmp_path, f'prompt,tags\na cat,"{quoted}"\n', file="p.csv")
    assert Prompt.objects.get().tags == tags


def test_windows_line_ends_and_byte_order_mark_are_read(tmp_path):
    prompt_set, _ = imported(
        tmp_path, ("\ufeff" + TSV + "a cat\tAnimals\tBasic\t\n").replace("\n", "\r\n")
    )
    prompt = prompt_set.prompts.get()
    assert (prompt.text, prompt.note) == ("a cat", "")


def test_importing_twice_changes_nothing(tmp_path):
    first, _ = imported(tmp_path, TSV + "a cat\t\t\t\n")
    again, created = imported(tmp_path, TSV + "a cat\t\t\t\n")
    assert (again, created) == (first, False)
    assert (PromptSet.objects.count(), Prompt.objects.count()) == (1, 1)


def test_changed_file_is_the_next_version(tmp_path):
    imported(tmp_path, TSV + "a cat\t\t\t\n")
    second, created = imported(tmp_path, TSV + "a dog\t\t\t\n")
    assert created
    assert second.version == 2
    assert prompt_set_named("mine", default_project()) == second
    assert prompt_set_named("mine@1", default_project()).prompts.get().text == "a cat"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("p.csv", 'prompt,category\n"a cat, sitting",Animals\n'),
        ("p.jsonl", '{"prompt": "a cat, sitting", "category": "Animals"}\n\n'),
        ("p.tsv", "prompt\tcategory\na cat, sitting\tAnimals\n"),
    ],
)
def test_open_user_input_formats(tmp_path, file, text):
    prompt_set, _ = imported(tmp_path, text, file=file)
    prompt = prompt_set.prompts.get()
    assert (prompt.text, prompt.category) == ("a cat, sitting", "Animals")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (TSV, "holds no prompts"),
        (TSV + "a cat\t\t\t\n\ta\tb\t\n", "line 3 has an empty prompt"),
        (TSV + "   \t\t\t\n", "line 2 has an empty prompt"),
        ("Text\tCategory\na cat\tAnimals\n", "its columns are 'Text', 'Category'"),
        ("Prompt\tPrompt\na\tb\n", "could all be prompt"),
        (TSV + "a\tb\tc\td\te\n", "line 2 has 5 fields"),
        (TSV.encode() + b"caf\xe9\t\t\t\n", "line 2 is not UTF-8"),
        (TSV.encode() + b"a\0b\t\t\t\n", "line 2 holds a NUL"),
    ],
)
def test_bad_file_is_refused_and_nothing_is_stored(tmp_path, content, message):
    with pytest.raises(BadInputError, match=message):
        imported(tmp_path, content)
    assert PromptSet.objects.count() == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is not JSON"),
        ("[1]", "entry 1 has no text"),
        ("3", "line 1 has no text"),
        ('{"text": "a"}', "it has 'text'. Where the prompt is called otherwise"),
        ('{"prompt": 3}', "line 1 has no text"),
        ('{"prompt": null}', "line 1 has no text"),
        ('{"prompt": "a", "Prompt": "b"}', "could all be prompt"),
        ('{"prompt": "a", "note": ["b"]}', "note must be text"),
        ('{"prompt": "a", "note": true}', "note must be text"),
        ('{"prompt": "a\\u0000b"}', "line 1: the prompt holds a NUL"),
        ('{"prompt": "a \\ud83d"}', "line 1: the prompt holds half a character"),
        ('{"prompt": "a", "tags": ["\\udc00"]}', "line 1: the tags holds half a character"),
        ('{"prompt": "a", "seed": ' + "9" * 5000 + "}", "line 1 .* over 4,300 digits"),
        ("{" + '"a":{' * 100_000, "line 1 .*nested too deeply"),
        ('["a",\n"b",\n', "line 3 is not JSON"),
    ],
)
def test_bad_json_line_is_named(line, message):
    with pytest.raises(BadInputError, match=message):
        read_prompts(line.encode(), format="jsonl", name="p.jsonl")


def test_unclosed_quote_in_csv_is_named():
    with pytest.raises(BadInputError, match="not valid CSV"):
        read_prompts(b'prompt\n"a cat\n', format="csv", name="p.csv")


def test_wrong_hash_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="expected '0000"):
        imported(tmp_path, TSV + "a cat\t\t\t\n", sha256="0" * 64)
    assert PromptSet.objects.count() == 0


def test_command_exits_2_with_one_line(tmp_path):
    with pytest.raises(CommandError, match="no such file") as raised:
        call_command("import_prompts", "mine", str(tmp_path / "missing.tsv"))
    assert raised.value.returncode == 2


def test_unknown_prompt_set_lists_the_known(tmp_path):
    imported(tmp_path, TSV + "a cat\t\t\t\n")
    with pytest.raises(BadInputError, match="imported: mine@1"):
        prompt_set_named("other", default_project())
    for version in ("\u00b2", "9" * 5000, "9" * 12, "x"):
        with pytest.raises(BadInputError, match="no prompt set 'mine@"):
            prompt_set_named(f"mine@{version}", default_project())


class _BrokenServer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (TSV + "a cat\t\t\t\n").encode()
        self.send_response(200 if "missing" not in self.path else 404)
        self.send_header("Content-Length", str(len(body) + (50 if "cut" in self.path else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _BrokenServer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_url_is_imported(server):
    prompt_set = import_prompt_set(
        project=default_project(), name="mine", source=f"{server}/prompts.tsv"
    ).prompt_set
    assert prompt_set.prompts.get().text == "a cat"
    assert prompt_set.source == f"{server}/prompts.tsv"


@pytest.mark.parametrize("page", ["cut.tsv", "missing.tsv"])
def test_interrupted_download_imports_nothing(server, page):
    with pytest.raises(BadInputError, match="nothing was imported"):
        import_prompt_set(project=default_project(), name="mine", source=f"{server}/{page}")
    assert PromptSet.objects.count() == 0


def test_prompt_of_any_length_is_stored_once(tmp_path):
    random = Random(0)  # what an index could not compress
    long = "".join(random.choices(string.ascii_letters + '\\"', k=300_000))
    prompt_set, _ = imported(tmp_path, f"{long}\n{long}.\n", file="p.txt")
    assert [prompt.text for prompt in prompt_set.prompts.all()] == [long, f"{long}."]
    for text, is_there in ((long, True), (f"{long}!", False), ("\\x41", False), ("A", False)):
        again = Prompt(prompt_set=prompt_set, position=prompt_set.prompts.count(), text=text)
        with transaction.atomic(), pytest.raises(IntegrityError) if is_there else nullcontext():
            again.save()


def test_labels_are_never_cut(tmp_path):
    label = "photorealistic rendering with volumetric light, " * 4
    line = json.dumps({"prompt": "a", "category": label, "challenge": label, "tags": [label]})
    imported(tmp_path, line, file="p.jsonl")
    prompt = Prompt.objects.get()
    assert prompt.category == prompt.challenge == prompt.tags[0] == label.strip()


def test_same_file_read_in_another_way_is_refused(tmp_path):
    content = "prompt,kind\na cat,Animals\na cat,Pets\n"
    kept = {"file": "p.csv", "drop_repeats": True}
    first, _ = imported(tmp_path, content, **kept)
    assert imported(tmp_path, content, **kept) == (first, False)
    with pytest.raises(BadInputError, match="mine@1 is this file, read in another way"):
        imported(tmp_path, content, columns={"category": "kind"}, **kept)
    other, _ = imported(tmp_path, content, name="other", columns={"category": "kind"}, **kept)
    assert other.prompts.get().category == "Animals"


def test_set_keeps_its_licence_and_another_one_is_refused(tmp_path):
    first, _ = imported(tmp_path, "a cat\n", file="p.txt", licence="MIT")
    for licence in (None, "", "MIT"):
        assert imported(tmp_path, "a cat\n", file="p.txt", licence=licence) == (first, False)
    with pytest.raises(BadInputError, match=r"'GPL' is given, and mine@1 .* the licence 'MIT'"):
        imported(tmp_path, "a cat\n", file="p.txt", licence="GPL")
    imported(tmp_path, "a dog\n", file="p.txt")
    with pytest.raises(BadInputError, match="mine@2 has these prompts already, without one"):
        imported(tmp_path, "a dog\n", file="p.txt", licence="MIT")
    assert list(PromptSet.objects.values_list("licence", flat=True)) == ["MIT", ""]


def test_known_licence_is_of_the_released_file_alone(tmp_path, monkeypatch):
    released = hashlib.sha256(b"a cat\n").hexdigest()
    monkeypatch.setitem(importing.KNOWN_SETS["parti"], "sha256", released)
    found, _ = imported(tmp_path, "a cat\n", name="parti", file="p.txt")
    assert found.licence == "Apache-2.0 (google-research/parti)"
    found, _ = imported(tmp_path, "my own prompt\n", name="parti", file="p.txt")
    assert (found.version, found.licence) == (2, "")


def test_words_that_cannot_be_kept_are_refused_in_one_line(tmp_path):
    for name, given in (("x" * 81, {}), ("x", {"licence": "y" * 201}), ("x", {"licence": "\n"})):
        with pytest.raises(CommandError) as raised:
            call_command("import_prompts", name, write(tmp_path, "a", "p.txt"), **given)
        assert raised.value.returncode == 2
        assert "\n" not in str(raised.value)
    assert PromptSet.objects.count() == 0


def test_file_whose_name_is_no_text_is_imported(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    Path(os.fsdecode(path)).write_text("a cat\n")
    call_command("import_prompts", "mine", os.fsdecode(path))
    assert PromptSet.objects.get().source == "caf\ufffd.txt"


def test_command_takes_columns_and_drops_repeats_and_says_so(tmp_path, capsys):
    source = write(tmp_path, "caption;seed\na;1\nb;2\na;3\n", "p.csv")
    with pytest.raises(CommandError, match="--column prompt=NAME"):
        call_command("import_prompts", "mine", source)
    with pytest.raises(CommandError, match="give FIELD=NAME"):
        call_command("import_prompts", "mine", source, column=["caption"])
    call_command("import_prompts", "mine", source, column=["prompt=caption"], drop_repeats=True)
    said = capsys.readouterr()
    assert "imported mine@1: 2 prompts, 0 categories, 0 challenges," in said.out
    assert "note: columns not read: 'seed'." in said.err
    assert "note: repeated prompts dropped: 1 (line 4 as 2)." in said.err


@pytest.mark.skipif(
    not (PARTI.exists() or os.environ.get("PARTIPROMPTS")),
    reason="give PartiPrompts.tsv by the variable PARTIPROMPTS",
)
def test_partiprompts_is_read_whole(capsys):
    source = os.environ.get("PARTIPROMPTS") or str(PARTI)
    call_command("import_prompts", "parti", source)
    prompts = list(Prompt.objects.all())
    assert len(prompts) == 1632
    assert len({prompt.category for prompt in prompts}) == 12
    assert len({prompt.challenge for prompt in prompts}) == 11
    file_texts = [line.split("\t")[0] for line in Path(source).read_text().splitlines()[1:]]
    assert [prompt.text for prompt in prompts] == file_texts
    assert any(text.endswith(" ") for text in file_texts)
    assert any('"' in text for text in file_texts)
    assert "1,632 prompts, 12 categories, 11 challenges" in capsys.readouterr().out
