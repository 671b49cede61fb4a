"""Every page of the built site, in Chromium: complete, offline, legible, light, usable by keyboard.

The site is what `make book` leaves in `_build/html`. Each page is opened once in light and once in
dark; what was seen is kept, and the tests below look at one side of it each.
"""

import gzip
import re
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
WIDTHS = (360, 768, 1440)
WEIGHT = 900_000  # bytes over the wire, gzip, of a page with all it loads
NOT_COMPRESSED = (".woff", ".woff2", ".png", ".jpg", ".jpeg", ".webp")

pytestmark = pytest.mark.browser
sys.path.insert(0, str(ROOT / "book" / "_ext"))  # what the site is made with

# The page at the root only leads to the first page of the book.
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if "_static" not in path.parts and path != SITE / "index.html"
)
NOTEBOOK_PAGES = [
    name
    for name in PAGES
    if re.match(r"book/((exercises/)?\d\d-|(figures|datasets|write-an-assignment)\.html)", name)
]
every_page = pytest.mark.parametrize("name", PAGES or ["(the site is not built)"])
every_notebook_page = pytest.mark.parametrize("name", NOTEBOOK_PAGES or ["(the site is not built)"])


@pytest.fixture(scope="module")
def site(serve):
    """Address of the built site on this machine."""
    if not (SITE / "book" / "index.html").exists():
        pytest.skip(f"there is no site in {SITE}: run `make book` first")
    return serve(SITE)


@pytest.fixture(scope="module")
def browse(chromium, site):
    """browse(path, **options of the context): an open page that can reach nothing but the site."""
    contexts = []

    def open_page(path, **options):
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.external, page.failed, page.messages, page.sizes = [], [], [], {}
        context.route(lambda url: not url.startswith(site), lambda route: _block(page, route))
        page.on("console", lambda message: _note_message(page, message))
        page.on("pageerror", lambda error: page.messages.append(f"error: {error}"))
        page.on("requestfailed", lambda request: _note_failure(page, request))
        page.on("response", lambda response: _note_response(page, response))
        page.goto(f"{site}/{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()


def _block(page, route):
    page.external.append(route.request.url)
    route.abort()


def _note_failure(page, request):
    # A reader who leaves a page stops what it was still loading, its icon for instance.
    if request.failure != "net::ERR_ABORTED":
        page.failed.append(request.url)


def _note_message(page, message):
    if message.type in ("error", "warning"):
        page.messages.append(f"{message.type}: {message.text}")


def _note_response(page, response):
    if response.status >= 400:
        page.failed.append(f"{response.status} {response.url}")
    path = SITE / unquote(urlsplit(response.url).path).lstrip("/")
    if path.is_file():
        page.sizes[path.relative_to(SITE).as_posix()] = wire_size(path)


@cache
def wire_size(path):
    """Bytes of a file as a server sends it: text compressed, fonts and pictures as they are."""
    data = path.read_bytes()
    return len(data) if path.suffix in NOT_COMPRESSED else len(gzip.compress(data, 6))


@pytest.fixture(scope="module")
def seen(browse, axe):
    """seen(name): what came to light when the page was opened in light, then in dark."""

    @cache
    def look(name):
        light = browse(name, color_scheme="light", reduced_motion="reduce")
        settle(light)
        report = light.evaluate(LOOK)
        report["axe"] = {"light": axe(light)}
        report["overflow"] = {width: overflow(light, width) for width in WIDTHS}
        report |= {key: list(getattr(light, key)) for key in ("external", "failed", "messages")}
        report["sizes"] = dict(light.sizes)
        light.context.close()

        dark = browse(name, color_scheme="dark", reduced_motion="reduce")
        settle(dark)
        report["theme"] = dark.evaluate("document.documentElement.dataset.theme")
        report["axe"]["dark"] = axe(dark)
        report["messages"] += dark.messages
        dark.context.close()
        return report

    return look


def settle(page):
    """Wait until formulas are typeset and every figure, loaded as one scrolls to it, has drawn."""
    page.wait_for_load_state("load")
    page.evaluate("window.MathJax?.startup?.promise")
    for figure in page.locator(".dl-figure").all():
        figure.scroll_into_view_if_needed()
        figure.and_(page.locator("[data-ready=true]")).wait_for(timeout=10_000)
    page.evaluate("document.fonts.ready.then(() => scrollTo(0, 0))")
    page.wait_for_load_state("networkidle")


LOOK = r"""() => {
  const main = document.querySelector("main") ?? document.body;
  const raw = [];
  const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    if (node.parentElement.closest("pre, code, script, style, textarea")) continue;
    if (/\\[(\[]|\\[)\]]|\$\$|\\begin\{/.test(node.data)) raw.push(node.data.trim().slice(0, 80));
  }
  const pictures = [...document.images].map((image) => ({
    source: image.getAttribute("src").slice(0, 80), alt: image.getAttribute("alt"),
    loaded: image.complete && image.naturalWidth > 0,
  }));
  const icons = [];
  for (const element of document.querySelectorAll("body *")) {
    for (const part of ["::before", "::after"]) {
      const style = getComputedStyle(element, part);
      const sign = style.content.match(/[\ue000-\uf8ff]/);
      if (sign && style.fontFamily.includes("Font Awesome")) icons.push(sign[0].codePointAt(0));
    }
  }
  return {
    formulas: document.querySelectorAll("span.math, div.math").length,
    typeset: document.querySelectorAll(".math mjx-container").length,
    faults: [...document.querySelectorAll("mjx-merror")].map((e) => e.textContent),
    raw, pictures, icons: [...new Set(icons)],
    empty_icons: [...document.querySelectorAll("i[class*='fa-'], span[class*='fa-']")]
      .filter((e) => getComputedStyle(e, "::before").content === "none").map((e) => e.className),
    language: document.documentElement.lang,
    description: document.querySelector('meta[name="description"]')?.content ?? "",
    title: document.title,
    headings: [...document.querySelectorAll("h1")].map((e) => e.textContent),
  };
}"""


def overflow(page, width):
    """What sticks out of a window of this width, except where it scrolls in a box of its own."""
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(100)
    return page.evaluate(r"""() => {
      const room = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= room) return [];
      return [...document.querySelectorAll("main *")].filter((element) => {
        if (element.getBoundingClientRect().right <= room + 0.5) return false;
        for (let box = element.parentElement; box; box = box.parentElement)
          if (getComputedStyle(box).overflowX !== "visible") return false;
        return true;
      }).map((element) => `${element.tagName}.${element.className}`).slice(0, 5).concat("the page");
    }""")


# Every page -----------------------------------------------------------------------------------


@every_page
def test_a_page_is_complete_and_asks_no_other_server(seen, name):
    page = seen(name)
    assert page["external"] == []
    assert page["failed"] == []
    assert page["messages"] == []


@every_page
def test_every_formula_is_typeset(seen, name):
    page = seen(name)
    assert page["faults"] == []
    assert page["raw"] == []
    assert page["typeset"] == page["formulas"]


@every_page
def test_every_picture_is_there_and_described(seen, name):
    for picture in seen(name)["pictures"]:
        assert picture["loaded"], picture
        assert len(picture["alt"] or "") > 10, picture


@every_page
def test_every_icon_is_in_the_font(seen, name):
    from fontTools.ttLib import TTFont

    page = seen(name)
    assert page["empty_icons"] == []
    fonts = (SITE / "_static" / "vendor" / "fontawesome" / "webfonts").glob("*.woff")
    there = {code for font in fonts for code in TTFont(font).getBestCmap()}
    assert [hex(code) for code in page["icons"] if code not in there] == []


@every_page
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(seen, name, theme):
    found = [
        f"{violation['id']}: {node['target']} {node.get('failureSummary', '')}"
        for violation in seen(name)["axe"][theme]
        for node in violation["nodes"]
    ]
    assert found == []


@every_page
def test_nothing_is_wider_than_the_window(seen, name):
    assert seen(name)["overflow"] == {width: [] for width in WIDTHS}


@every_page
def test_a_page_is_light_enough_to_load(seen, name):
    sizes = seen(name)["sizes"]
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    assert sum(sizes.values()) <= WEIGHT, heaviest


@every_page
def test_a_page_says_what_it_is(seen, name):
    page = seen(name)
    assert page["language"] == "en"
    assert page["theme"] == "dark"
    assert len(page["headings"]) == 1
    if name.startswith("book/"):
        assert 20 <= len(page["description"]) <= 165, page["description"]


def test_every_link_within_the_site_leads_somewhere(site):
    import links

    assert links.check_site(SITE) == []


def test_the_address_of_the_site_leads_to_the_first_page(browse):
    page = browse("index.html")
    page.wait_for_url("**/book/index.html")
    assert "Deep learning" in page.locator("h1").inner_text()


# Exercises ------------------------------------------------------------------------------------


def test_no_solution_is_on_the_site(site):
    solutions = []
    for source in (ROOT / "book" / "exercises").glob("*.md"):
        regions = re.findall(
            r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", source.read_text("utf8"), re.S
        )
        assert regions, (
            f"{source.name} holds no solution to hide: is the marker spelled as nbgrader does?"
        )
        lines = (line.split("#")[0].strip() for region in regions for line in region.splitlines())
        solutions += [line for line in lines if len(line) > 25]
    assert not (SITE / "_sources").exists()
    for path in SITE.rglob("*"):
        if path.suffix not in (".html", ".js", ".md", ".txt", ".ipynb", ".json"):
            continue
        if "exercises" not in path.name + path.parent.name and path.name != "searchindex.js":
            continue
        text = re.sub(r"<[^>]*>", "", path.read_text("utf8"))
        for sign in ("BEGIN SOLUTION", "END SOLUTION", *solutions):
            assert sign not in text, f"{path.relative_to(SITE)} shows {sign!r}"


@every_notebook_page
def test_the_buttons_offer_the_notebook(browse, name):
    page = browse(name)
    notebook = name.replace("book/", "chapters/").replace(".html", ".ipynb")
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))["repository"]
    place = config["url"].removeprefix("https://github.com/").removesuffix("/").removesuffix(".git")
    assert page.get_by_role("link", name="Colab").get_attribute("href") == (
        f"https://colab.research.google.com/github/{place}/blob/{config['branch']}/{notebook}"
    )
    with page.expect_download() as download:
        page.get_by_role("link", name="Notebook", exact=True).click()
    assert download.value.suggested_filename == Path(notebook).name
    loaded = nbformat.read(download.value.path(), as_version=4)
    nbformat.validate(loaded)
    # Measured times in the text differ from build to build; what a reader runs does not.
    committed = nbformat.read(ROOT / notebook, as_version=4)
    assert code(loaded) == code(committed) != []


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", [p for p in PAGES if p not in NOTEBOOK_PAGES] or ["(not built)"])
def test_pages_without_a_notebook_have_no_such_buttons(site, name):
    assert not re.search(r'href="[^"]*(colab|\.ipynb)', (SITE / name).read_text("utf8"))


# What a reader does ---------------------------------------------------------------------------


def test_search_finds_the_chain_rule(browse):
    page = browse("book/index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("chain rule")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=chain+rule*")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    targets = [link.get_attribute("href") for link in results.all()]
    assert any("07-backpropagation.html" in target for target in targets)
    assert any("glossary.html" in target for target in targets)
    page.wait_for_load_state("load")
    results.first.click()
    page.locator("article h1").wait_for()
    assert page.external == page.failed == page.messages == []


def test_the_theme_switch_works_and_is_remembered(browse):
    page = browse("book/07-backpropagation.html", color_scheme="light")
    theme = "document.documentElement.dataset.theme"
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    switch = page.get_by_role("button", name="Color mode")
    switch.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(theme) == "dark"
    assert page.evaluate(paper) != light
    page.reload()
    assert page.evaluate(theme) == "dark"


def test_dark_is_dark_before_the_first_picture(browse):
    page = browse("book/notation.html", color_scheme="dark")
    # The script that decides stands before every style sheet, and waits for nothing.
    first = page.locator("head script, head link[rel=stylesheet]").first
    assert "dataset.theme" in first.inner_text()


def test_pages_read_without_javascript(browse):
    page = browse("book/07-backpropagation.html", java_script_enabled=False)
    assert page.locator("article h1").is_visible()
    assert page.locator("article p").first.is_visible()
    answer = page.locator("details.dl-fold").first
    answer.locator("summary").click()
    assert answer.locator("p").first.is_visible()


def test_the_keyboard_reaches_what_matters(browse):
    page = browse("book/07-backpropagation.html")
    page.wait_for_load_state("networkidle")
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
    labels = [label for label, _ in reached]
    assert labels[0] == "Skip to main content"
    for wanted in ("Search", "Notation", "Colab", "Notebook", "Color mode"):
        assert any(wanted in label for label in labels), wanted
    assert [label for label, ring in reached if not ring] == []


# What has the focus, and whether it, or a mark within it, has a ring.
FOCUSED = """() => {
  const element = document.activeElement;
  const label = element.getAttribute("aria-label") ?? element.textContent.trim();
  const ring = [element, ...element.children].map((e) => getComputedStyle(e)).some(
    (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
  return [label.slice(0, 60), ring];
}"""


def test_a_folded_answer_opens_by_keyboard(browse):
    page = browse("book/07-backpropagation.html")
    answer = page.locator("details.dl-fold").first
    assert not answer.locator("p").first.is_visible()
    answer.locator("summary").focus()
    page.keyboard.press("Enter")
    assert answer.locator("p").first.is_visible()


def test_what_drives_a_tall_figure_stays_at_the_foot_of_a_phones_screen(browse):
    page = browse("book/07-backpropagation.html", viewport={"width": 360, "height": 640})
    page.locator(".dl-figure[data-module=graph_stepper]").first.scroll_into_view_if_needed()
    stage = page.locator(".dl-stage").first
    stage.wait_for()
    stage.evaluate("stage => stage.scrollIntoView()")
    buttons = page.locator(".dl-buttons").first.bounding_box()
    assert stage.bounding_box()["height"] > 550
    assert 250 < buttons["y"] < 640 - buttons["height"]


def test_the_contents_open_on_a_phone(browse):
    page = browse("book/07-backpropagation.html", viewport={"width": 390, "height": 800})
    link = page.get_by_role("link", name="Glossary")
    assert not link.first.is_visible()
    page.get_by_role("button", name="Contents of the book").focus()
    page.keyboard.press("Enter")
    link.first.wait_for(state="visible")
    page.keyboard.press("Escape")
    link.first.wait_for(state="hidden")


def test_the_copy_button_copies_the_code(browse, site):
    page = browse("book/07-backpropagation.html")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site)
    cell = page.locator("div.cell_input").first
    cell.hover()
    cell.get_by_role("button", name="Copy").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == cell.locator("pre").inner_text().strip()


def test_print_is_light_and_unfolded(browse):
    page = browse("book/07-backpropagation.html", color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.locator("article details:not([open])").count() == 0
    assert page.locator("article h1").is_visible()
    assert not page.locator(".bd-sidebar-primary").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.locator("article details[open]").count() == 0


def test_chapters_are_numbered_by_their_file(browse):
    page = browse("book/07-backpropagation.html")
    assert page.locator("h1 .section-number").inner_text().strip() == "7"
    assert page.locator("h2 .section-number").first.inner_text().strip() == "7.1"
    assert page.locator(".eqno").first.inner_text().startswith("(7.1)")
    assert "7 Backpropagation" in page.locator("nav.bd-links").inner_text()


# How the site is made --------------------------------------------------------------------------


def test_icons_are_never_cut_blindly():
    import dlbook_icons

    sheet = "".join(f'.fa-i{n}:before{{content:"\\f{n:03x}"}}' for n in range(600))
    for font in ("brands-400", "regular-400", "solid-900"):
        file = f"../vendor/fontawesome/webfonts/fa-{font}"
        sheet += f'url({file}.woff2) format("woff2"),url({file}.ttf) format("truetype")'
    smaller, codes = dlbook_icons.cut_sheet(sheet, {"fa-i5"})
    assert codes == {0xF005}
    assert ".fa-i6" not in smaller
    with pytest.raises(Exception, match="no icon named fa-nowhere"):
        dlbook_icons.cut_sheet(sheet, {"fa-nowhere"})
    with pytest.raises(Exception, match="the theme has changed"):
        dlbook_icons.cut_sheet(sheet.replace(":before", "::marker"), {"fa-i5"})
