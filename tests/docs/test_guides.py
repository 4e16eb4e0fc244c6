"""What guides tell to type is taken: commands with their options, and the code of an extension."""

import re
import shlex
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class
from PIL import Image

DOCS = Path(settings.BASE_DIR) / "docs"
PAGES = (*sorted(DOCS.glob("*.md")), DOCS.parent / "README.md")
# Commands that stand alone on a line of a block; a line with "…", "[" or "|" shows a choice.
LINES = [
    pytest.param(line, id=f"{page.stem}: {line[:60]}")
    for page in PAGES
    for line in re.findall(r"^(?:    )?python manage\.py (\S.*)$", page.read_text(), re.M)
    if not re.search(r"[…\[|\\]", line.partition("#")[0])
]
# Commands within a sentence that are whole: with options, and no WORD to be replaced.
LINES += [
    pytest.param(line, id=f"{page.stem}, in a sentence: {line[:60]}")
    for page in PAGES
    for line in re.findall(r"(?<!`)`(?:python )?manage\.py ([^`]+ --[^`]+)`", page.read_text())
    if not re.search(r"[…\[|\\]|\b[A-Z]{2,}\b", line)
]


@pytest.mark.parametrize("line", LINES)
def test_documented_command_is_taken(line):
    name, *given = shlex.split(line, comments=True)
    given = given[: given.index(">")] if ">" in given else given
    command = load_command_class(get_commands()[name], name)
    parsed = command.create_parser("manage.py", name).parse_args(given)
    assert parsed is not None


def test_detector_of_the_guide_gives_scores():
    text = (DOCS / "add-a-detector.md").read_text()
    (code,) = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    made: dict[str, type] = {}
    exec(code, made)
    detector = made["Glare"]()
    images = [Image.new("RGB", (8, 8), colour) for colour in ("black", "white")]
    assert [each.score for each in detector.score(images)] == [0.0, 1.0]
    assert f'{detector.identity.name} = "my_package' in text
    assert f'detector = "{detector.identity.name}"' in text
