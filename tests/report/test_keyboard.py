"""Everything on the report's page is reached, seen and worked with the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("selenium")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

Page = Any

#: Puts all that can be worked into `window.controls`: each must get the focus in turn.
COLLECT = """
    const all = "a[href], button, input, select, summary, [tabindex]";
    window.controls = [...document.querySelectorAll(all)].filter((element) =>
      element.checkVisibility() && !element.disabled && element.getAttribute("tabindex") !== "-1");
    return controls.map((element) => element.outerHTML.slice(0, 90));
"""
#: Of what has the focus: its number among them, whether a ring shows it, what lies above it. What
#: is drawn for a chip is the span beside its input.
FOCUSED = """
    const focused = document.activeElement;
    const shown = focused.matches(".chips input") ? focused.nextElementSibling : focused;
    const { outlineStyle, outlineWidth } = getComputedStyle(shown);
    const ringed = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
    const { left, right, top, bottom } = shown.getBoundingClientRect();
    const free = [top + 3, bottom - 3].every((y) => {
      const above = document.elementFromPoint((left + right) / 2, Math.min(y, top + 200));
      return above && (shown.contains(above) || above.contains(shown) || above === focused);
    });
    return [controls.indexOf(focused), ringed, free];
"""


def press(page: Page, *keys: str) -> None:
    ActionChains(page).send_keys(*keys).perform()


def wait(page: Page, script: str) -> None:
    WebDriverWait(page, 10, 0.02).until(lambda _: page.execute_script(f"return {script}"))


@pytest.mark.parametrize("width", [1440, 390])
def test_tab_reaches_every_control_and_shows_it(
    page: Page, resize: Callable[..., None], width: int
) -> None:
    resize(page, width)
    controls = page.execute_script(COLLECT)
    assert len(controls) > 60
    reached, unseen, covered = [], [], []
    for _ in controls:
        press(page, Keys.TAB)
        number, ringed, free = page.execute_script(FOCUSED)
        reached.append(number)
        unseen += [] if ringed else [controls[number]]
        covered += [] if free else [controls[number]]
    assert [text for n, text in enumerate(controls) if n not in reached] == []
    assert reached == sorted(reached), "the focus jumps"
    assert (unseen, covered) == ([], [])


def tab_to(page: Page, selector: str) -> None:
    """Go on by Tab until an element that fits has the focus."""
    there = f"document.activeElement.matches({selector!r})"
    for _ in range(150):
        if page.execute_script(f"return {there}"):
            return
        press(page, Keys.TAB)
    pytest.fail(f"Tab does not reach {selector}")


def test_from_the_results_to_a_link_of_one_object_without_a_mouse(page: Page) -> None:
    press(page, Keys.TAB, Keys.ENTER)
    wait(page, "location.hash === '#main'")
    tab_to(page, "#results thead th:nth-child(3) button")
    press(page, Keys.ENTER)
    wait(page, "document.activeElement.closest('th').ariaSort === 'descending'")
    tab_to(page, "#plane g")
    wait(page, "!$('tip').hidden && $('tip').textContent.includes('FPS')")
    for select in ("plane-measure", "time-measure", "heat-measure"):
        tab_to(page, f"#{select}")
        press(page, Keys.ARROW_DOWN)
        wait(page, f"$('{select}').selectedIndex === 1")
    tab_to(page, "#filter")
    press(page, "ee")
    wait(page, "$('filtered').textContent === '1 of 3 sequences'")
    tab_to(page, "#pair-a")
    before = page.execute_script("return [pair.a, pair.b]")
    tab_to(page, "#swap")
    press(page, Keys.SPACE)
    assert page.execute_script("return [pair.b, pair.a]") == before
    tab_to(page, "#scatter svg")
    press(page, Keys.ARROW_RIGHT)
    wait(page, "$('tip').textContent.includes('A − B')")
    tab_to(page, "#sequence")
    press(page, "cat")
    wait(page, "viewer.page.name === 'cat'")
    tab_to(page, "#opacity")
    press(page, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    wait(page, "viewer.opacity === .5")
    tab_to(page, "#contour")
    press(page, Keys.SPACE)
    tab_to(page, "#trackers input")
    press(page, Keys.SPACE)
    wait(page, "viewer.contour && viewer.active.size === 1")
    tab_to(page, "[data-view=error]")
    press(page, Keys.ENTER)
    tab_to(page, "#objects button:nth-of-type(3)")
    press(page, Keys.SPACE)
    wait(page, "viewer.object === 2")
    assert page.execute_script("return document.activeElement.textContent") == "object 2"
    tab_to(page, "#curve svg")
    press(page, Keys.HOME, Keys.ENTER)
    wait(page, "viewer.place === 0")
    tab_to(page, "#next")
    press(page, Keys.SPACE, Keys.SPACE)
    tab_to(page, "#slider")
    press(page, Keys.END)
    tab_to(page, "#telling")
    press(page, Keys.SPACE)
    tab_to(page, "#link")
    press(page, Keys.ENTER)
    wait(page, "location.hash.endsWith('runs=poor&view=error&object=2')")
    tab_to(page, "#failure-tracker")
    press(page, Keys.HOME)
    wait(page, "document.querySelectorAll('#lost tbody tr').length === 1")
    tab_to(page, "summary")
    press(page, Keys.ENTER)
    wait(page, "document.querySelector('details').open")
