"""`explore` in a real JupyterLab: Python draws what the reader asks for, and sees it."""

import pytest
from live_notebook import jupyterlab, open_notebook, run_cell
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "import matplotlib.pyplot as plt\n"
    "from dlcourse.figures import explore\n"
    "drawn = []\n"
    "def draw(slope, kind):\n"
    "    drawn.append((slope, kind))\n"
    "    fig, axis = plt.subplots()\n"
    "    axis.plot([0, slope], '-' if kind == 'line' else 'o')\n"
    "    assert slope != 5, 'five is not drawn'\n"
    "    return fig\n"
    "figure = explore(draw, alt='{kind} of slope {slope}', slope=range(1, 9), "
    "kind=['line', 'dots'])\n"
    "figure",
    "print('seen', figure.values, drawn)",
    "figure.values = {'slope': 7, 'kind': 'line'}",
]


def test_each_picture_is_drawn_by_python_when_it_is_asked_for(chromium, tmp_path):
    with jupyterlab(tmp_path, CELLS) as lab:
        page = open_notebook(chromium, lab)
        run_cell(page, 0)
        picture = page.locator(".dl-kit img.dl-frame")
        expect(picture).to_have_attribute("alt", "line of slope 1")
        assert picture.evaluate("image => image.naturalWidth") > 300

        page.get_by_label("kind", exact=True).select_option("dots")
        expect(picture).to_have_attribute("alt", "dots of slope 1")
        slider = page.get_by_role("slider", name="slope")
        slider.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        expect(picture).to_have_attribute("alt", "dots of slope 4")
        page.keyboard.press("ArrowRight")
        message = page.locator(".dl-kit .dl-message")
        expect(message).to_have_text("AssertionError: five is not drawn")
        page.keyboard.press("ArrowRight")
        expect(picture).to_have_attribute("alt", "dots of slope 6")
        expect(message).to_have_text("")

        run_cell(page, 1)
        told = page.locator(".jp-OutputArea-output", has_text="seen {")
        expect(told).to_contain_text("seen {'slope': 6, 'kind': 'dots'} [(1, 'line'), (1, 'dots')")
        # Python's own change moves the controls, and Python draws.
        run_cell(page, 2)
        expect(picture).to_have_attribute("alt", "line of slope 7")
        assert slider.input_value() == "6"
        # A dark notebook shows the picture's dark ink inverted.
        page.evaluate("document.body.dataset.jpThemeLight = 'false'")
        assert "invert(1)" in picture.evaluate("image => getComputedStyle(image).filter")
        page.context.close()
