"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vosbench.datasets.base import Dataset
from vosbench.datasets.reading import read_labels

pytest.importorskip("selenium")

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

HOSTILE = 0
Page = Any


@pytest.fixture(scope="session")
def file(report: Callable[..., Path]) -> Path:
    return report("--sequence-frames", "6")


@pytest.fixture
def page(browser: Page, file: Path) -> Page:
    """Opened anew at desktop size; afterwards it must not have complained."""
    resize(browser, 1440)
    browser.get(file.as_uri())
    wait(browser, lambda: pixels(browser))
    yield browser
    assert browser.get_log("browser") == []


def resize(browser: Page, width: int, scheme: str = "light") -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def wait(browser: Page, condition: Callable[[], Any]) -> None:
    WebDriverWait(browser, 20, 0.05).until(lambda _: condition())


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
    one(page, f"[name=view][value={name}]").send_keys(Keys.SPACE)


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


def test_label_maps_arrive_whole_in_the_browser(page, toys: Dataset, results: Path):
    script = """
        const page = sequencePage(arguments[0]);
        const count = page.size[0] * page.size[1];
        return page.shown.map((frame, place) => [page.frames[frame],
            [...unpackLabels(page.predictions[1][place], count)],
            [...unpackLabels(page.annotation[place], count)]]);
    """
    for number, sequence in enumerate(toys.sequences):
        shown = page.execute_script(script, number)
        assert len(shown) >= 6
        for frame, prediction, annotation in shown:
            path = results / "toys" / "poor" / "masks" / sequence.name / f"{frame}.png"
            np.testing.assert_array_equal(prediction, read_labels(path).ravel())
            truth = sequence.labels(int(frame))
            assert truth is not None
            np.testing.assert_array_equal(annotation, truth.ravel())


def test_arrow_keys_move_the_slider_and_change_the_picture(page):
    slider, before = one(page, "#slider"), pixels(page)
    slider.send_keys(Keys.ARROW_RIGHT)
    assert slider.get_property("value") == "1"
    wait(page, lambda: pixels(page) not in ("", before))
    assert slider.get_attribute("aria-valuetext") == one(page, "#position").text
    slider.send_keys(Keys.END)
    assert "12 of 12" in one(page, "#position").text


def test_errors_are_painted_in_their_colours(page):
    one(page, "#slider").send_keys(Keys.ARROW_RIGHT)
    before = pixels(page)
    chosen(page, "error")
    wait(page, lambda: pixels(page) not in ("", before))
    script = """
        const canvas = document.querySelectorAll("#pictures canvas")[1];
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let missed = 0, wrong = 0;
        for (let i = 0; i < data.length; i += 4) {
          if (data[i + 2] > data[i] + 90) missed++;
          if (data[i] > data[i + 2] + 90) wrong++;
        }
        const page = sequencePage(0), count = canvas.width * canvas.height, place = 1;
        const truth = unpackLabels(page.annotation[place], count);
        const answer = unpackLabels(page.predictions[1][place], count);
        const only = (a, b) => a.reduce((sum, v, i) => sum + (v > 0 && b[i] === 0), 0);
        return [[missed, wrong], [only(truth, answer), only(answer, truth)]];
    """
    wait(page, lambda: page.execute_script(script)[0][0] > 0)
    painted, expected = page.execute_script(script)
    assert painted == expected and min(expected) > 0
    assert one(page, "#error-legend").is_displayed()


def test_play_moves_and_stops_by_keyboard(page):
    one(page, "#play").send_keys(Keys.SPACE)
    wait(page, lambda: int(one(page, "#slider").get_property("value")) >= 2)
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
    assert Select(one(page, "#sequence")).first_selected_option.text == "cat"
    assert page.switch_to.active_element.get_attribute("id") == "slider"


def test_a_lost_object_is_listed_and_opens_where_it_was_lost(page):
    (row,) = page.find_elements(By.CSS_SELECTOR, "#lost tbody tr")
    assert row.text.split()[:4] == ["bee", "good", "1", "00008"]
    row.find_element(By.CSS_SELECTOR, "button").send_keys(Keys.ENTER)
    assert one(page, "#position").text.startswith("frame 00008")


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
def test_the_page_is_never_wider_than_the_screen(page, width):
    resize(page, width)
    page.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    wait(page, lambda: one(page, "#decay svg").size["width"] < width)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    for label in page.find_elements(By.CSS_SELECTOR, "#results tbody th, #heat tbody th"):
        assert 90 < label.size["width"] < width


def test_dark_follows_the_system(page):
    colour = "return getComputedStyle(document.body).backgroundColor"
    light = page.execute_script(colour)
    resize(page, 1440, "dark")
    assert page.execute_script(colour) != light


def test_a_page_without_pictures_shows_curves(browser, report):
    browser.get(report("--sequence-frames", "0").as_uri())
    assert not one(browser, "#viewer").is_displayed()
    assert one(browser, "#no-pictures").is_displayed()
    assert one(browser, "#curve svg path").get_attribute("d")
    assert browser.get_log("browser") == []
