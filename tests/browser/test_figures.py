"""What the Users page says: cards, bridge, chart, its table and its file, and on paper."""

import csv
import io
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def north(page):
    page.goto("/users/?project=north")
    return page


# --- Cards -------------------------------------------------------------------------------------


def test_the_cards_show_the_figures_worked_out_by_hand(north):
    figures = north.locator("[data-card]").evaluate_all(
        "cards => cards.map(c => [c.dataset.card, c.querySelector('.card__value').innerText])"
    )

    # As the world's docstrings count them; the one since deleted counts among the registered.
    assert dict(figures) == {"registered": "55", "active": "15", "trial": "1", "unsubscribed": "1"}


def test_each_number_opens_exactly_its_rows(north):
    numbers = north.evaluate(
        """() => [
          ...[...document.querySelectorAll("[data-card]")].flatMap(card => {
            const [before, whole] = card.querySelectorAll(".card__before a");
            return [
              [card.dataset.value, card.querySelector(".card__value").href],
              [card.dataset.previous, before.href],
              [card.dataset.previousFull, whole.href],
              ...[...card.querySelectorAll(".card__notes a")].map(
                a => [a.textContent.match(/\\d+/)[0], a.href]),
            ];
          }),
          ...[...document.querySelectorAll("[data-bridge]")].map(a => [a.dataset.value, a.href]),
        ]"""
    )

    assert len(numbers) == 4 * 3 + 4 + 6
    for value, address in numbers:
        total, deleted = north.evaluate(
            """async address => {
              const answer = await (await fetch(address)).text();
              const list = new DOMParser().parseFromString(answer, "text/html").body
                .querySelector("#list");
              return [list.dataset.total, list.dataset.deleted];
            }""",
            address,
        )
        assert (address, int(total) + int(deleted)) == (address, int(value))


def test_a_card_leads_to_its_list_and_back(north):
    north.get_by_role("link", name="55", exact=True).click()

    expect(north.locator("#list")).to_have_attribute("data-total", "54")
    expect(north.locator("#list-title")).to_contain_text("1 since deleted")
    expect(north.locator(".filter__active")).to_contain_text("Registered in the month")
    north.go_back()
    expect(north.locator(".filter__active .chip")).to_have_count(0)


def test_a_definition_opens_on_hover_and_on_focus_and_escape_closes_it(north):
    button = north.get_by_role("button", name="What “Active users” means")
    tip = north.locator("#definition-active")

    button.hover()
    expect(tip).to_be_visible()
    north.mouse.move(5, 5)
    expect(tip).to_be_hidden()

    button.focus()
    expect(tip).to_be_visible()
    north.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    expect(button).to_be_focused()


def test_a_definition_opens_on_touch(window):
    page = window(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800})
    page.goto("/users/?project=north")

    page.get_by_role("button", name="What “Registered users” means").tap()

    expect(page.locator("#definition-registered")).to_be_visible()


# --- Chart -------------------------------------------------------------------------------------


def table_under_the_chart(page):
    """Return the rows under the chart: day, then the three figures as text."""
    return page.locator(".chart-table tbody tr").evaluate_all(
        """rows => rows.map(row => [
          row.querySelector("time").dateTime,
          ...[...row.querySelectorAll("td")].map(cell => cell.textContent),
        ])"""
    )


def test_the_chart_is_drawn_from_the_same_figures_as_its_table(north):
    chart = north.locator("[data-chart]")
    expect(chart.locator("svg")).to_be_visible()
    expect(north.locator(".chart-table")).not_to_have_attribute("open", "")
    data = north.evaluate("JSON.parse(document.getElementById('chart-data').textContent)")
    rows = table_under_the_chart(north)

    assert [row[1] for row in rows] == [text(n) for n in data["registered"]]
    assert [row[2] for row in rows] == [text(n) for n in data["cumulative"]]
    assert [row[3] for row in rows] == [text(n) for n in data["endOfDay"]]
    # Gone was there from the start, the members came on the 17th, the last two on the 22nd.
    assert len(rows) == 30
    assert rows[0] == ["2026-11-01", "3", "1", "1"]
    assert rows[16] == ["2026-11-17", "0", "13", "13"]
    assert rows[21] == ["2026-11-22", "0", "15", "14"]
    assert rows[22] == ["2026-11-23", "–", "–", "–"]


def text(figure):
    return "–" if figure is None else str(figure)


def test_the_arrow_keys_tell_each_day(north):
    chart = north.locator("[data-chart]")
    expect(chart.locator("svg")).to_be_visible()
    said = chart.locator("[aria-live]")

    chart.focus()
    north.keyboard.press("End")
    expect(said).to_have_text(re.compile(r"^22 Nov .*Active, cumulative: 15, .*: 14$"))
    north.keyboard.press("ArrowLeft")
    expect(said).to_have_text(re.compile("^21 Nov, Registered per day: 6,"))
    # The figures also stand in the drawing.
    expect(chart.locator("svg")).to_contain_text("21 Nov")
    north.keyboard.press("Home")
    expect(said).to_have_text(re.compile("^1 Nov, Registered per day: 3,"))
    north.keyboard.press("Escape")
    expect(said).to_have_text("")


def test_the_grain_can_be_changed_and_the_filter_stays(page):
    page.goto("/users/?project=north&platform=web")

    page.get_by_role("navigation", name="Grain of the chart").get_by_text("Week").click()

    assert parse_qs(urlsplit(page.url).query) == {
        "project": ["north"],
        "platform": ["web"],
        "grain": ["week"],
    }
    # The weeks that touch November 2026: its first day is a Sunday, its last a Monday.
    assert len(table_under_the_chart(page)) == 6


def test_the_file_of_the_chart_is_its_table(north):
    rows = table_under_the_chart(north)

    with north.expect_download() as waiting:
        north.get_by_role("link", name="CSV of the chart, by day").click()

    text = waiting.value.path().read_text("utf-8-sig")
    assert list(csv.reader(io.StringIO(text))) == [
        ["date", "registered", "active_cumulative", "active_end_of_day"],
        *[row for row in rows if row[1] != "–"],
    ]


def test_paper_shows_the_figures_and_no_controls(north):
    expect(north.locator("[data-chart] svg")).to_be_visible()

    north.emulate_media(media="print")

    expect(north.locator(".chart-table tbody tr").first).to_be_visible()
    expect(north.locator("[data-chart] svg")).to_be_visible()
    expect(north.locator("[data-user]").first).to_be_visible()
    for control in (
        "nav.side",
        ".gear >> nth=0",
        "input[name=user] >> nth=0",
        ".page__foot",
        ".panel__foot nav",
        ".file-link",
        ".definition >> nth=0",
        ".filter__form",
    ):
        expect(north.locator(control)).to_be_hidden()
