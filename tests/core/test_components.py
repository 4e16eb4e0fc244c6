"""The components of pages: what they place, sort and show."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.http import QueryDict
from django.template import Context, Template
from django.urls import reverse

from evalplatform.core.components import DataTable, ForestRow, Line, TableColumn, outcome_parts
from evalplatform.core.components.figures import drawn_bar, drawn_forest
from evalplatform.core.components.navigation import SECTIONS, bar_links
from evalplatform.core.styleguide import styleguide_context

TEMPLATES = Path(settings.BASE_DIR) / "templates"
COMPONENTS = (
    "appbar", "page-head", "state", "tabs", "stepper", "progress-line", "tile", "notice",
    "empty-state", "answer-card", "forest", "mini-forest", "stacked", "result-table", "data-table",
    "heat", "pair-card", "pair-viewer", "filter-bar", "form-field", "copy-field", "confirm",
    "help-note", "menu",
)  # fmt: skip


def rendered(source, **context):
    return Template("{% load components %}" + source).render(Context(context))


def test_style_page_shows_every_component_without_inline_script_or_style(client, rania):
    client.force_login(rania)
    page = client.get(reverse("core:styleguide")).content.decode()
    for name in COMPONENTS:
        assert re.search(rf'class="(?:[^"]* )?{name}[ "]', page), name
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
    assert page.count("<h1") == 1


def test_forest_places_values_about_the_middle_and_colours_what_leaves_zero_out():
    rows = [
        ForestRow("a", 0.5, 0.25, 0.75),
        ForestRow("b", -0.5, -0.75, -0.25),
        ForestRow("none", 0.1, -0.1, 0.3),
        ForestRow("at the edge", 0.1, 0.0, 0.3),
        ForestRow("unknown", None),
    ]
    marks = drawn_forest(rows).marks
    assert [mark.kind for mark in marks] == ["a", "b", "none", "none", "none"]
    assert [mark.at for mark in marks] == ["73.00%", "27.00%", "54.60%", "54.60%", ""]
    assert (marks[0].low, marks[0].high) == ("61.50%", "84.50%")
    assert (marks[4].low, marks[4].high) == ("", "")


def test_axis_of_strengths_holds_every_interval():
    drawn = drawn_forest([ForestRow("x", 1.2, -0.4, 2.7, arm="C")], scale="strength")
    assert [label for _, label in drawn.ticks] == ["−3", "−1.5", "0", "+1.5", "+3"]
    assert drawn.marks[0].kind == "c"


def test_forest_says_the_numbers_beside_its_lines_and_escapes_names():
    rows = [ForestRow("<b>x</b>", 0.5, 0.25, 0.75, "+50.0 [25.0, 75.0]", n="12")]
    html = rendered('{% forest rows "Net" %}', rows=rows)
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert "<b>x</b>" not in html
    assert '<td class="number">+50.0 [25.0, 75.0]</td><td class="number">12</td>' in html
    assert html.count('class="forest-whisker"') == 3


def test_table_of_numbers_has_a_name_and_scrolls_by_itself():
    html = rendered(
        '{% result_table label extra="wide" %}<caption>x</caption>{{ cell }}{% endresult_table %}',
        label='"><b>People', cell="<i>",
    )  # fmt: skip
    assert 'tabindex="0" role="region" aria-label="&quot;&gt;&lt;b&gt;People"' in html
    assert '<table class="result-table wide"><caption>x</caption>&lt;i&gt;</table>' in html


def test_no_page_writes_a_component_by_hand():
    """One partial for each: a table of numbers is written in its own alone."""
    found = {
        str(path.relative_to(TEMPLATES))
        for path in TEMPLATES.rglob("*.html")
        if 'class="result-table' in path.read_text(encoding="utf-8")
    }
    assert found == {"components/result_table.html"}


def test_bar_leaves_out_what_is_nothing_and_labels_that_do_not_fit():
    pieces = drawn_bar(outcome_parts(0.9, 0.0, 0.1))
    assert [(piece.x, piece.width) for piece in pieces] == [
        ("0.000%", "90.000%"),
        ("90.000%", "10.000%"),
    ]
    assert [piece.fits for piece in pieces] == ["always", "wide"]
    html = rendered("{% stacked_bar parts 'Votes' %}", parts=outcome_parts(0.9, 0.0, 0.1))
    assert 'aria-label="Votes: A 90 %, tie 0 %, B 10 %"' in html


def table(query="", **options):
    columns = [
        TableColumn("name", "Name", sort=lambda line: line.cells[0]),
        TableColumn(
            "votes", "Votes", sort=lambda line: line.cells[1], is_number=True, descends=True
        ),
    ]
    cells = [("ana", 3), ("ben", None), ("cleo", 7), ("dan", 5)]
    options = {"search": lambda line: line.cells[0]} | options
    return DataTable(columns, [Line(each) for each in cells], QueryDict(query), **options)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["ana", "ben", "cleo", "dan"]),
        ("sort=votes", ["ana", "dan", "cleo", "ben"]),
        ("sort=-votes", ["cleo", "dan", "ana", "ben"]),
        ("sort=password", ["ana", "ben", "cleo", "dan"]),
        ("q=AN", ["ana", "dan"]),
        ("q=%00", ["ana", "ben", "cleo", "dan"]),
    ],
)
def test_table_sorts_and_searches_by_its_address(query, names):
    assert [row.cells[0] for row in table(query).rows] == names


def test_table_pages_and_keeps_what_else_stands_in_the_address():
    shown = table("category=a%26b&sort=name&page=1", per_page=2)
    assert [row.cells[0] for row in shown.rows] == ["ana", "ben"]
    assert shown.next == "?category=a%26b&sort=name&page=2"
    assert [row.cells[0] for row in table("page=99", per_page=3).rows] == ["dan"]
    assert [row.cells[0] for row in table("page=x", per_page=3).rows] == ["ana", "ben", "cleo"]
    assert ("category", "a&b") in shown.kept


def test_head_of_the_sorted_column_turns_it_round():
    name, votes = table("sort=name").heads
    assert (name.direction, name.href) == ("ascending", "?sort=-name")
    assert (votes.direction, votes.href) == ("", "?sort=-votes")


def test_two_tables_of_one_page_do_not_share_their_address():
    shown = table("people-sort=-votes&sort=name", name="people")
    assert [row.cells[0] for row in shown.rows] == ["cleo", "dan", "ana", "ben"]
    assert shown.heads[0].href == "?sort=name&people-sort=name"


def test_bar_links_only_to_pages_that_exist(rf):
    links = bar_links(rf.get("/"))
    assert {"Campaigns", "Models", "Generation", "Plan"} <= {link.label for link in links}
    assert len(links) <= len(SECTIONS)
    assert not any(link.current for link in links)


def test_confirm_dialog_says_its_effect_and_asks_a_reason():
    html = rendered(
        '{% confirm_dialog name="x" action="/a/" button="Exclude…" title="Exclude?" '
        'reason="Why" value="exclude" %}<p>12 votes will not count.</p>{% endconfirm_dialog %}'
    )
    assert "<p>12 votes will not count.</p>" in html
    assert re.search(r'<textarea[^>]* name="reason"[^>]* required', html)
    assert re.search(r'<button[^>]* type="submit" name="action" value="exclude"', html)


def test_copy_field_escapes_its_value_and_draws_a_code():
    html = rendered("{% copy_field 'x' value 'Link' qr=True %}", value='https://a/?"&b')
    assert 'value="https://a/?&quot;&amp;b"' in html
    assert 'src="data:image/svg+xml;base64,' in html


def test_long_names_may_break_and_stay_escaped():
    assert rendered("{{ name|soft_breaks }}", name="a-b<i>") == "a-<wbr>b&lt;i&gt;"


def test_style_page_survives_an_odd_address():
    for query in ("sort=-&page=-1", "q=" + 9000 * "x", "page=99999999999999999999"):
        assert styleguide_context(QueryDict(query))["table"].page is not None
