"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from vosbench.datasets.base import Dataset
from vosbench.datasets.reading import read_labels

pytest.importorskip("selenium")

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

HOSTILE = 0
Page = Any
Resize = Callable[..., None]


def wait(browser: Page, condition: Callable[[], Any]) -> None:
    # The page may draw a figure anew between finding it and asking it.
    drawn_anew = (StaleElementReferenceException,)
    waiting = WebDriverWait(browser, 20, 0.05, ignored_exceptions=drawn_anew)
    waiting.until(lambda _: condition())


def pixels(page: Page, figure: int = 0) -> str:
    """The picture as an address; empty before it is painted."""
    script = """
        const canvas = document.querySelectorAll("#pictures canvas")[arguments[0]];
        const all = canvas?.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return all?.some((value) => value) ? canvas.toDataURL() : "";
    """
    text: str = page.execute_script(script, figure)
    return text


def one(page: Page, selector: str) -> Any:
    return page.find_element(By.CSS_SELECTOR, selector)


def press(page: Page, *keys: str) -> None:
    """On the element that has the focus."""
    for key in keys:
        page.switch_to.active_element.send_keys(key)


def chosen(page: Page, name: str) -> None:
    one(page, f"[data-view={name}]").send_keys(Keys.SPACE)


def test_names_from_outside_stay_text_and_nothing_is_loaded(page, toys):
    assert page.title == "toys – vosbench report"
    names = [e.text for e in page.find_elements(By.CSS_SELECTOR, "#heat tbody th")]
    assert names == [sequence.name for sequence in toys.sequences]
    assert not page.find_elements(By.CSS_SELECTOR, "img, dd b")
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []


def test_the_policy_of_the_page_forbids_the_network(page):
    refused = page.execute_async_script(
        "fetch('http://127.0.0.1:9/').then(() => arguments[0](''), (e) => arguments[0](String(e)))"
    )
    assert refused
    messages = [entry["message"] for entry in page.get_log("browser")]
    assert any("Content Security Policy" in message for message in messages)


def ask(page: Page, expression: str, *arguments: Any) -> Any:
    """The value of an expression that may await."""
    script = (
        f"const done = arguments[arguments.length - 1]; (async () => {expression})().then(done)"
    )
    return page.execute_async_script(script, *arguments)


def test_label_maps_arrive_whole_in_the_browser(page, toys: Dataset, results: Path):
    for number, sequence in enumerate(toys.sequences):
        shown = ask(
            page,
            f"{{ const page = await sequencePage({number});"
            """
                return Promise.all(page.shown.map(async (frame, place) => {
                  const { maps } = await loadPicture(page, place);
                  return [page.frames[frame], [...maps[2]], [...maps[0]]];
                }));
            }""",
        )
        assert len(shown) >= 6
        for frame, prediction, annotation in shown:
            path = results / "toys" / "poor" / "masks" / sequence.name / f"{frame}.png"
            np.testing.assert_array_equal(prediction, read_labels(path).ravel())
            truth = sequence.labels(int(frame))
            assert truth is not None
            np.testing.assert_array_equal(annotation, truth.ravel())


def place(page: Page) -> int:
    return int(one(page, "#slider").get_property("value"))


def test_arrow_keys_move_from_frame_to_frame_wherever_the_focus_is(page):
    one(page, "#slider").send_keys(Keys.HOME)
    before = pixels(page)
    for focused in ("body", "#play", "#heat thead button", "#slider", "[data-view=error]", "#link"):
        at = place(page)
        one(page, focused).send_keys(Keys.ARROW_RIGHT)
        assert place(page) == at + 1, focused
    wait(page, lambda: pixels(page) not in ("", before))
    assert one(page, "#slider").get_attribute("aria-valuetext") == one(page, "#position").text
    one(page, "body").send_keys(Keys.SHIFT, Keys.ARROW_LEFT)
    assert place(page) == 0
    one(page, "#sequence").send_keys(Keys.ARROW_LEFT)
    one(page, "#opacity").send_keys(Keys.ARROW_LEFT)
    assert place(page) == 0
    one(page, "#slider").send_keys(Keys.END)
    assert "12 of 12" in one(page, "#position").text


def test_it_opens_where_the_runs_differ_most(page, results: Path):
    shown = ask(page, "{ return (await sequencePage(1)).name; }")
    assert shown == "bee"
    page.find_elements(By.CSS_SELECTOR, "#heat tbody th button")[1].send_keys(Keys.ENTER)
    wait(page, lambda: one(page, "#position").text)
    frame = one(page, "#position").text.split()[1].rstrip(",")
    tables = [
        pd.read_csv(results / "toys" / run / "scores" / "per-frame.csv", dtype={"frame": str})
        for run in ("good", "poor")
    ]
    means = [t[t["sequence"] == "bee"].groupby("frame")["J"].mean() for t in tables]
    assert frame == (means[0] - means[1]).abs().idxmax()


def test_a_link_leads_to_what_it_was_taken_from(page, file: Path):
    Select(one(page, "#sequence")).select_by_visible_text("cat")
    wait(page, lambda: viewed(page) == "cat")
    one(page, "#trackers input").send_keys(Keys.SPACE)
    one(page, "#slider").send_keys(Keys.END)
    chosen(page, "contour")
    page.find_elements(By.CSS_SELECTOR, "#objects button")[2].send_keys(Keys.SPACE)
    link = page.execute_script("return document.getElementById('link').hash")
    assert link == "#sequence=cat&frame=00011&runs=poor&view=contour&object=2"
    picture = pixels(page)
    page.get("about:blank")
    page.get(file.as_uri() + link)
    wait(page, lambda: pixels(page) == picture)
    assert viewed(page) == "cat" and "12 of 12" in one(page, "#position").text
    assert len(page.find_elements(By.CSS_SELECTOR, "#pictures figure")) == 1


def viewed(page: Page) -> str:
    name: str = page.execute_script("return viewer.page?.name")
    return name


def test_an_object_can_be_shown_alone(page):
    Select(one(page, "#sequence")).select_by_visible_text("cat")
    wait(page, lambda: viewed(page) == "cat")
    chosen(page, "contour")
    colours = """
        const canvas = document.querySelector("#pictures canvas");
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const found = overview.colours.map(() => 0);
        for (let i = 0; i < data.length; i += 4) overview.colours.forEach((c, id) => {
          if (c.every((v, k) => v === data[i + k])) found[id]++;
        });
        return found.slice(0, 2);
    """
    wait(page, lambda: min(page.execute_script(colours)) > 0)
    page.find_elements(By.CSS_SELECTOR, "#objects button")[2].send_keys(Keys.SPACE)
    wait(page, lambda: page.execute_script(colours)[0] == 0)
    assert page.execute_script(colours)[1] > 0


def test_a_against_b_lists_wins_and_paints_who_is_right(page):
    assert one(page, "#wins-count").text.startswith("A is better in")
    a = page.execute_script("return overview.heat['J&F'].map((row) => row[pair.a] - row[pair.b])")
    assert len(page.find_elements(By.CSS_SELECTOR, "#wins li")) == sum(d > 0 for d in a)
    assert len(page.find_elements(By.CSS_SELECTOR, "#scatter circle")) == 3
    one(page, "#scatter svg").send_keys(Keys.ARROW_RIGHT, Keys.ENTER)
    wait(page, lambda: page.switch_to.active_element.get_attribute("id") == "slider")
    chosen(page, "difference")
    counts = """{
        const page = viewer.page, { maps } = await loadPicture(page, viewer.place);
        const [truth, a, b] = [maps[0], maps[pair.a + 1], maps[pair.b + 1]];
        const only = (x, y) => truth.reduce((n, v, i) => n + (x[i] === v && y[i] !== v), 0);
        const canvas = document.querySelector("#pictures canvas");
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let blue = 0, orange = 0;
        for (let i = 0; i < data.length; i += 4) {
          if (data[i + 2] > data[i] + 60) blue++;
          if (data[i] > data[i + 2] + 60) orange++;
        }
        return [[only(a, b), only(b, a)], [blue, orange]];
    }"""
    wait(page, lambda: ask(page, counts)[1][0] > 0)
    expected, painted = ask(page, counts)
    assert painted == expected


def test_sequences_are_filtered_by_name_and_by_tag(page):
    def shown() -> list[str]:
        rows = page.find_elements(By.CSS_SELECTOR, "#heat tbody tr")
        return [row.text.split()[0] for row in rows if row.is_displayed()]

    one(page, "#filter").send_keys("EE")
    assert shown() == ["bee"] and one(page, "#filtered").text == "1 of 3 sequences"
    cells = [c.text for c in page.find_elements(By.CSS_SELECTOR, "#heat tfoot td")]
    row = next(r for r in page.find_elements(By.CSS_SELECTOR, "#heat tbody tr") if r.is_displayed())
    assert cells[:2] == [c.text for c in row.find_elements(By.CSS_SELECTOR, "td")][:2]


def test_the_slider_is_in_view_with_every_tracker_at_once(page, resize: Resize):
    for width, height in ((1440, 900), (390, 844)):
        resize(page, width, height=height)
        page.execute_script("document.getElementById('frames').scrollIntoView()")
        box = page.execute_script(
            "const b = document.getElementById('slider').getBoundingClientRect();"
            "return [b.top, b.bottom]"
        )
        assert 0 < box[0] < box[1] <= height


def test_errors_are_painted_in_their_colours(page):
    one(page, "#slider").send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    before = pixels(page)
    chosen(page, "error")
    wait(page, lambda: pixels(page) not in ("", before))
    script = """{
        const canvas = document.querySelectorAll("#pictures canvas")[1];
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let missed = 0, wrong = 0;
        for (let i = 0; i < data.length; i += 4) {
          if (data[i + 2] > data[i] + 90) missed++;
          if (data[i] > data[i + 2] + 90) wrong++;
        }
        const { maps } = await loadPicture(viewer.page, viewer.place);
        const only = (a, b) => a.reduce((sum, v, i) => sum + (v > 0 && b[i] === 0), 0);
        return [[missed, wrong], [only(maps[0], maps[2]), only(maps[2], maps[0])]];
    }"""
    wait(page, lambda: ask(page, script)[0][0] > 0)
    painted, expected = ask(page, script)
    assert painted == expected and min(expected) > 0
    assert one(page, "#error-legend").is_displayed()


def test_play_moves_and_stops_by_keyboard(page):
    at = place(page)
    one(page, "#play").send_keys(Keys.SPACE)
    wait(page, lambda: place(page) != at)
    one(page, "#play").send_keys(Keys.SPACE)
    assert one(page, "#play").get_attribute("aria-label") == "Play"


def test_headings_sort_by_mouse_and_by_keyboard(page):
    def column() -> list[float]:
        cells = page.find_elements(By.CSS_SELECTOR, "#heat tbody tr td:nth-child(3)")
        return [float(cell.text) for cell in cells]

    heading = one(page, "#heat thead th:nth-child(3)")
    assert heading.get_attribute("aria-sort") == "none"
    heading.find_element(By.CSS_SELECTOR, "button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert column() == sorted(column(), reverse=True) and len(set(column())) > 1
    press(page, Keys.ENTER)
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column() == sorted(column())
    Select(one(page, "#heat-measure")).select_by_visible_text("F")
    assert column() == sorted(column())


def test_a_sequences_name_opens_it(page):
    button = page.find_elements(By.CSS_SELECTOR, "#heat tbody th button")[2]
    button.send_keys(Keys.ENTER)
    wait(page, lambda: viewed(page) == "cat")
    assert Select(one(page, "#sequence")).first_selected_option.text == "cat"
    assert page.switch_to.active_element.get_attribute("id") == "slider"


def test_a_lost_object_is_listed_and_opens_where_it_was_lost(page):
    (row,) = page.find_elements(By.CSS_SELECTOR, "#lost tbody tr")
    assert row.text.split()[:4] == ["bee", "good", "1", "00008"]
    row.find_element(By.CSS_SELECTOR, "button").send_keys(Keys.ENTER)
    wait(page, lambda: one(page, "#position").text.startswith("frame 00008"))


def test_curves_are_read_by_arrow_keys(page):
    one(page, "#curve svg").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    tip = one(page, "#tip")
    assert "frame 00001" in tip.text and "good" in tip.text and "poor" in tip.text


def test_at_least_one_tracker_stays_chosen(page):
    boxes = page.find_elements(By.CSS_SELECTOR, "#trackers input")
    boxes[0].send_keys(Keys.SPACE)
    assert len(page.find_elements(By.CSS_SELECTOR, "#pictures figure")) == 1
    boxes[1].send_keys(Keys.SPACE)
    assert boxes[1].is_selected()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_is_never_wider_than_the_screen(page, resize: Resize, width):
    resize(page, width)
    page.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    wait(page, lambda: one(page, "#decay svg").size["width"] < width)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    for label in page.find_elements(By.CSS_SELECTOR, "#results tbody th, #heat tbody th"):
        assert 90 < label.size["width"] < width


def test_dark_follows_the_system(page, resize: Resize):
    colour = "return getComputedStyle(document.body).backgroundColor"
    light = page.execute_script(colour)
    resize(page, 1440, "dark")
    assert page.execute_script(colour) != light


def test_a_page_without_pictures_shows_curves(browser, report):
    browser.get(report("--frames", "0").as_uri())
    assert not one(browser, "#viewer").is_displayed()
    assert one(browser, "#no-pictures").is_displayed()
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "#curve svg path"))
    assert one(browser, "#curve svg path").get_attribute("d")
    assert browser.get_log("browser") == []
