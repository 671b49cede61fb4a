"""Tables and pages: exact, never a silent zero, and inert whatever a student calls themselves."""

import csv
import html.parser
import importlib.util
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from dlcourse.checks.framework import NOT_YET, PASSED, Step
from dlcourse.grading import report
from dlcourse.grading.grade import Judged, Result, not_judged
from dlcourse.grading.rebuild import Check, Plan
from dlcourse.grading.submissions import Submission

PLAN = Plan(
    (), (Check("a-check", 4.0, "", ()), Check("b-check", 6.0, "", ())), {}, {}, "", {}, ()
)  # fmt: skip
NAME = "07-backpropagation"

EVIL = [
    "<script>fetch('http://127.0.0.1:9/'); document.title = 'evil'</script>",
    "<img src=x onerror=\"document.title='evil'\">",
    "<a href=\"javascript:document.title='evil'\">click</a>",
    "<svg onload=\"document.title='evil'\"><script>document.title='evil'</script></svg>",
    "</title></style><script>document.title='evil'</script>",
    '"><iframe srcdoc="<script>top.document.title=1</script>"></iframe>',
    "`<script>document.title='evil'</script>`",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
]


def result(a, b, state="graded", hint="the sum is missing", seconds=1.0, notes=()):
    def steps(earned, points):
        return (
            Step("one half", points / 2, PASSED if earned else NOT_YET, "" if earned else hint),
            Step("the other", points / 2, PASSED if earned == points else NOT_YET, ""),
        )

    checks = (Judged("a-check", 4.0, steps(a, 4.0)), Judged("b-check", 6.0, steps(b, 6.0)))
    return Result(state, checks, notes, seconds, 0.1, "printed")


def student(place, /, **more):
    name = f"student-{place:02}"
    return Submission(name, more.pop("name", name), f"{name}.ipynb", bytes, **more)


CLASS = [
    (student(1), result(4.0, 6.0)),
    (student(2, platform="canvas", number="102", late=True), result(2.0, 6.0)),
    (student(3, name="Student Three", platform="moodle", number="103"), result(0.0, 0.0)),
    (student(4), result(4.0, 0.0, "timed out", seconds=9.5, notes=("TimeLimit: too slow",))),
    (student(5), result(0.0, 0.0, "died")),
    (student(6), result(0.0, 0.0, "unreadable", notes=("it is empty",))),
    (student(7), not_judged(PLAN, "the jail failed")),
    (student(8, notes=("2 files; b.ipynb counts",)), result(0.0, 3.0, hint="sum 0.25 misses")),
    (student(9), result(0.0, 3.0, hint="sum 0.75 misses")),
]  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    text = report.write(NAME, PLAN, lambda: iter(CLASS), folder)
    (folder / "told.txt").write_text(text)
    return folder


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_tells_states_apart(out):
    found = {row["student"]: row for row in rows(out / "grades.csv")}
    told = {name[-2:]: (r["state"], r["points"], r["a-check"]) for name, r in found.items()}
    assert told == {
        "01": ("graded", "10", "4"), "02": ("graded", "8", "2"), "03": ("graded", "0", "0"),
        "04": ("timed out", "4", "4"), "05": ("died", "0", "0"), "06": ("unreadable", "", ""),
        "07": ("needs review", "", ""), "08": ("graded", "3", "0"), "09": ("graded", "3", "0"),
    }  # fmt: skip
    assert found["student-02"]["late"] == "late"
    assert found["student-08"]["notes"] == "2 files; b.ipynb counts"
    assert (out / found["student-01"]["feedback"]).is_file()


def test_platforms_get_points_only_where_there_is_a_grade(out):
    canvas = rows(out / "grades_canvas.csv")
    assert list(canvas[0]) == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", NAME]
    assert (canvas[0]["Student"], canvas[0][NAME]) == ("    Points Possible", "10")
    assert [row[NAME] for row in canvas[1:]] == ["10", "8", "0", "4", "", "", "", "3", "3"]
    assert (canvas[2]["ID"], canvas[2]["SIS Login ID"]) == ("102", "")
    assert (canvas[1]["ID"], canvas[1]["SIS Login ID"]) == ("", "student-01")
    moodle = rows(out / "grades_moodle.csv")
    assert (moodle[2]["Identifier"], moodle[2]["Full name"]) == ("Participant 103", "Student Three")
    assert [row["Grade"] for row in moodle] == ["10", "8", "0", "4", "", "", "", "3", "3"]
    assert "could not be read" in moodle[5]["Feedback comments"]


def test_points_under_review_are_not_handed_on():
    assert report.exported(result(4.0, 3.0, "needs review")) is None
    assert report.exported(result(4.0, 3.0, "unreadable")) is None
    assert report.exported(result(4.0, 3.0, "out of memory")) == 7.0
    assert report.exported(result(0.0, 0.0)) == 0.0


def test_a_students_page_says_how_they_did(out):
    page = (out / "feedback" / "student-02.html").read_text()
    assert "8 of 10 points" in page
    assert "Handed in late" in page
    assert "the other" in page
    assert "printed" not in page, "what the code printed may show the hidden inputs"
    page = (out / "feedback" / "student-06.html").read_text()
    assert "could not be read" in page
    assert "0 of 10" not in page
    assert "not final" in (out / "feedback" / "student-07.html").read_text()


class Text(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.words = ""
        self.feed(page)

    def handle_data(self, data):
        self.words += f"{data}|"


def test_the_page_of_the_class(out):
    page = (out / "report.html").read_text()
    words = Text(page).words
    assert "9 submissions, 7 of them judged: mean 4.00, median 3 of 10 points." in words
    svg = ET.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    assert svg.get("aria-label").startswith("0 to 1 points: 2; 1 to 2 points: 0")
    counts = [t.text for t in svg.iter("text")][::2]
    assert counts == ["2", "0", "0", "2", "1", "0", "0", "0", "1", "1"]
    tall = [float(r.get("height")) for r in svg.iter("rect")]
    assert tall == [180.0, 0, 0, 180.0, 90.0, 0, 0, 0, 90.0, 90.0]
    assert words.index("|a-check|") < words.index("|b-check|")
    assert "|2|" + "\n" not in words
    # Two hints that differ in their numbers alone are one.
    assert words.count("misses") == 1
    part = words[words.index("Slowest") :]
    assert part.index("9.50") < part.index("1.00")
    part = words[words.index("Needs review") :]
    assert [f"student-0{n}" in part for n in range(1, 10)] == [
        False, False, False, True, True, True, True, False, False
    ]  # fmt: skip
    told = (out / "told.txt").read_text()
    assert "graded  5" in told
    assert "9 submissions, 4 to look at" in told


def test_file_names_are_plain_and_differ(tmp_path):
    names = ["student-01", "Student-01", "../x", "/x", "x/", "a" * 300, "a" * 301, "", "é", "è",
             "con.html", "\udcff"]  # fmt: skip
    files = {report.file_name(name) for name in names}
    assert len({f.lower() for f in files}) == len(names)
    for file in files:
        (tmp_path / file).write_text("")
        assert (tmp_path / file).parent == tmp_path
        assert len(file) < 100


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\r=1"])
def test_no_cell_is_a_formula(cell):
    assert report.plain(cell).startswith("'")


def evil_class():
    for number, text in enumerate(EVIL):
        evil = Submission(text, text, text, bytes, notes=(text,))
        yield evil, result(0.0, 3.0, hint=text, notes=(text,))
        yield evil, result(0.0, 0.0, "needs review", hint=text, notes=(text,), seconds=number)


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evil")
    report.write(EVIL[0], PLAN, evil_class, folder)
    return folder


def test_no_element_of_a_student_gets_into_a_page(evil):
    class Tags(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            assert tag in {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p",
                           "div", "ul", "li", "span", "strong", "code", "table", "tr", "th", "td",
                           "svg", "rect", "text", "line"}, tag  # fmt: skip
            for name, _ in attributes:
                assert not name.startswith("on"), name
                assert name not in ("href", "src", "srcdoc")

    pages = [*evil.glob("feedback/*.html"), evil / "report.html"]
    assert len(pages) == len(EVIL) + 1
    for page in pages:
        Tags().feed(page.read_text())


@pytest.mark.browser
@pytest.mark.slow
def test_pages_are_inert_in_chromium(evil):
    path = Path(__file__).parents[1] / "browser" / "conftest.py"
    spec = importlib.util.spec_from_file_location("browser_conftest", path)
    browser_conftest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(browser_conftest)
    playwright = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, browser_conftest.NAMES)), None)
    if program is None:
        pytest.skip("no Chromium")
    with playwright.sync_playwright() as api:
        browser = api.chromium.launch(executable_path=program, args=list(browser_conftest.FLAGS))
        page = browser.new_page()
        asked, said = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        # The pages have no title of their own that says "evil": only a script could write it.
        for file in [*evil.glob("feedback/*.html"), evil / "report.html"]:
            asked.clear()
            page.goto(file.as_uri())
            title = page.title()
            count = "n => document.querySelectorAll(n).length"
            assert page.evaluate(count, "script, img, iframe, a, [onload], [onerror]") == 0
            page.wait_for_timeout(50)
            assert title == page.title() != "evil"
            assert asked == [file.as_uri()]
            assert page.locator("body").inner_text().count("<") >= 2, "shown as text"
        # Even a script that got in would not run.
        planted = evil / "planted.html"
        text = (evil / "report.html").read_text()
        planted.write_text(text.replace("</body>", "<script>document.title='ran'</script></body>"))
        page.goto(planted.as_uri())
        assert page.title() != "ran"
        browser.close()
    assert not said
