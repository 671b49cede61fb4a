"""The driver behind `make book`: what it tells, what it keeps, and how it recovers."""

import contextlib
import errno
import gc
import io
import re
import shutil
import sys

import build
import execute
import links
import pytest
import sync


def running(result):
    """Pages that a build has executed."""
    return re.findall(r"^  running  (\S+)", result.stdout, re.MULTILINE)


def cached(result):
    return re.findall(r"^  cached   (\S+)", result.stdout, re.MULTILINE)


# The cells ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_second_build_executes_nothing_and_changes_nothing(tiny_book):
    first = tiny_book.build("--notebooks")
    assert first.returncode == 0, first.stdout
    assert sorted(running(first)) == ["book/01-one", "book/02-two"]
    assert "new      chapters/01-one.ipynb" in first.stdout
    written = (tiny_book.root / "chapters" / "01-one.ipynb").stat().st_mtime_ns

    tiny_book.edit("book/01-one.md", "Text.", "Other text.")
    second = tiny_book.build("--notebooks")
    assert second.returncode == 0, second.stdout
    assert running(second) == []
    assert cached(second) == ["book/01-one", "book/02-two"]
    assert "changed  chapters/01-one.ipynb" in second.stdout
    assert "chapters/02-two.ipynb" not in second.stdout
    assert (tiny_book.root / "chapters" / "01-one.ipynb").stat().st_mtime_ns > written
    assert "Executing notebook" not in (tiny_book.out / "book.log").read_text("utf-8")
    assert str(tiny_book.out / "html" / "index.html") in second.stdout


@pytest.mark.slow
def test_a_cell_that_raises_is_told_with_its_line_and_the_next_build_recovers(tiny_book, line_in):
    bad = "```{code-cell}\n:tags: [hide-input]\n\nvalue = 1\nvalue / 0\n```\n"
    tiny_book.edit("book/01-one.md", "```{code-cell}\nprint('one')\n```\n", bad)
    failed = tiny_book.build()
    assert failed.returncode == 1
    page = tiny_book.root / "book" / "01-one.md"
    line = line_in(page, "value / 0")
    assert f"{page}:{line}: in the cell that begins with: value = 1" in failed.stdout
    assert "ZeroDivisionError: division by zero" in failed.stdout
    assert re.search(r"done     book/02-two \(\d+\.\d s", failed.stdout), "the other page goes on"
    assert "mend book/01-one first" in failed.stdout

    tiny_book.edit("book/01-one.md", "value / 0", "value / 1")
    mended = tiny_book.build("--notebooks")
    assert mended.returncode == 0, mended.stdout
    assert running(mended) == ["book/01-one"]


@pytest.mark.slow
def test_a_dead_kernel_and_a_slow_cell_are_told(tiny_book):
    tiny_book.edit("book/01-one.md", "print('one')", "import os\nos._exit(1)")
    tiny_book.edit("book/02-two.md", "print('two')", "import time\ntime.sleep(60)")
    tiny_book.edit("_config.yml", "timeout: 60", "timeout: 2")
    failed = tiny_book.build()
    assert failed.returncode == 1
    assert "the kernel died" in failed.stdout
    assert "took longer than `execute: timeout`" in failed.stdout
    assert "in the cell that begins with: import time" in failed.stdout


@pytest.mark.slow
def test_a_change_of_the_library_executes_all_pages_again(tiny_book):
    module = tiny_book.root / "dlcourse" / "optim.py"
    module.parent.mkdir()
    module.write_text("RATE = 0.1\n")
    assert tiny_book.build("--notebooks").returncode == 0
    assert len(list(tiny_book.out.glob("cache-*"))) == 1
    module.write_text("RATE = 0.2\n")
    again = tiny_book.build()
    assert sorted(running(again)) == ["book/01-one", "book/02-two"]
    assert len(list(tiny_book.out.glob("cache-*"))) == 1, "the old cache is dropped"


def test_the_hash_is_of_what_outputs_depend_on(tmp_path):
    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        return execute.library_hash(tmp_path)

    hashes = [
        write("dlcourse/optim.py", "a"),
        write("dlcourse/data/iris.csv", "1"),
        write("requirements.txt", "numpy==2.0"),
        write("benchmarks/results/backpropagation_mnist.json", "{}"),
        write("dlcourse/optim.py", "b"),
    ]
    assert len(set(hashes)) == 5
    assert write("dlcourse/figures/graph.mjs", "export default {}") == hashes[-1]
    assert write("README.md", "text") == hashes[-1]


@pytest.mark.slow
def test_a_half_written_cache_is_mended(tiny_book):
    assert tiny_book.build("--notebooks").returncode == 0
    first, second = sorted(tiny_book.out.glob("cache-*/executed/*/base.ipynb"))
    first.write_text(first.read_text("utf-8")[:100])
    second.unlink()
    result = tiny_book.build()
    assert result.returncode == 0, result.stdout
    assert len(running(result)) == 2

    database = next(tiny_book.out.glob("cache-*/global.db"))
    database.write_bytes(b"not a database" * 100)
    result = tiny_book.build()
    assert result.returncode == 0, result.stdout
    assert "is broken: every page runs again" in result.stdout


def test_a_page_over_budget_is_told(capsys):
    page = execute.Page("book/slow", None, None)
    execute._report(execute.Result(page, 61.0, int(3.5e9)))
    told = capsys.readouterr().out
    assert "TOO SLOW book/slow: 61 s, the budget of a page is 60 s" in told
    assert "TOO BIG  book/slow: 3.5 GB, the budget of a page is 3 GB" in told
    execute._report(execute.Result(page, 59.0, int(2.9e9)))
    assert "TOO" not in capsys.readouterr().out


def test_a_full_disk_is_told(tiny_book, monkeypatch, capsys):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(execute.Outputs, "keep", full)
    monkeypatch.setattr(execute, "_run", lambda page, timeout: (execute.Result(page, 1, 1), None))
    assert build.main(["--root", str(tiny_book.root)]) == 1
    assert "The disk is full. Make room" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("(sqlite3.OperationalError) database or disk is full"),
    ],
)
def test_a_full_disk_is_recognized_behind_other_errors(error):
    wrapped = RuntimeError("something else")
    wrapped.__cause__ = error
    assert execute.is_disk_full(error)
    assert execute.is_disk_full(wrapped)
    assert not execute.is_disk_full(RuntimeError("something else"))


@pytest.mark.slow
def test_one_page_for_a_quick_look(tiny_book):
    result = tiny_book.build("02-two")
    assert running(result) == ["book/02-two"]
    assert "shown without outputs: book/01-one" in result.stdout
    assert result.returncode == 0, result.stdout
    unknown = tiny_book.build("no-such-page")
    assert unknown.returncode != 0
    assert "no page no-such-page" in unknown.stdout


# The site ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_missing_picture_and_a_dangling_reference_fail_the_build(tiny_book, line_in):
    figure = "```{figure} pictures/none.png\n:name: f\n\nA caption.\n```\n"
    tiny_book.write("01-one.md", "# One\n\nSee {ref}`nowhere`.\n\n" + figure)
    failed = tiny_book.build()
    assert failed.returncode == 1
    line = line_in(tiny_book.root / "book" / "01-one.md", "none.png")
    assert re.search(rf"book/01-one\.md:{line}: .*none\.png", failed.stdout), failed.stdout
    assert "undefined label: 'nowhere'" in failed.stdout
    assert "warnings, and none is allowed" in failed.stdout


@pytest.mark.slow
def test_a_warning_of_a_cell_fails_the_build(tiny_book):
    tiny_book.edit("book/01-one.md", "print('one')", "import warnings\nwarnings.warn('careful')")
    for _ in range(2):  # a warning is told until it is mended
        failed = tiny_book.build()
        assert failed.returncode == 1, failed.stdout
        assert re.search(r"book/01-one\.md:\d+: WARNING: stderr was found", failed.stdout)


@pytest.mark.slow
def test_what_fails_while_it_is_collected_is_no_warning():
    class Old:
        def __del__(self):
            raise OSError("a loop that was closed twice")

    log, console = io.StringIO(), io.StringIO()
    warning = build._Warnings(log, console, build.ROOT)
    with contextlib.redirect_stderr(warning), build._unraisable(log):
        Old()
        gc.collect()
        print("x.md:1: WARNING: a real one", file=sys.stderr)
    assert warning.lines == ["x.md:1: WARNING: a real one"]
    assert "closed twice" in log.getvalue()


def test_notebooks_out_of_step_fail_the_build(tiny_book):
    assert tiny_book.build("--notebooks").returncode == 0
    tiny_book.edit("book/01-one.md", "Text.", "Other text.")
    failed = tiny_book.build()
    assert failed.returncode == 1
    assert "chapters/01-one.ipynb is not in step with its manuscript (changed)" in failed.stdout
    assert "run `make notebooks`" in failed.stdout


def test_notebooks_are_written_removed_and_left_alone(tmp_path):
    templates, committed = tmp_path / "templates", tmp_path / "chapters"
    (templates / "exercises").mkdir(parents=True)
    (templates / "same.ipynb").write_text("It is \ue0000.98\ue001.\n")
    (templates / "exercises" / "new.ipynb").write_text("New\n")
    (templates / "changed.ipynb").write_text("Now\n")
    committed.mkdir()
    (committed / "same.ipynb").write_text("It is 0.97.\n")
    (committed / "changed.ipynb").write_text("Before\n")
    (committed / "gone.ipynb").write_text("Gone\n")
    states = {"changed.ipynb": "changed", "exercises/new.ipynb": "new", "gone.ipynb": "gone"}
    assert sync.out_of_step(templates, committed) == states
    assert sync.bring_into_step(templates, committed) == states
    assert sync.out_of_step(templates, committed) == {}
    assert (committed / "same.ipynb").read_text() == "It is 0.97.\n"
    assert not (committed / "gone.ipynb").exists()


# The checks of links -----------------------------------------------------------------------------

GOOD = """\
<html><head><link rel="stylesheet" href="_static/a.css?v=1"><link rel="canonical" href="https://x.org">
<style>p { background: url(data:image/png;base64,x) }</style></head><body id="top">
<a href="#top">up</a> <a href="sub/b.html#b%20c">b</a> <a href="https://example.org">out</a>
<img src="_static/p.png" srcset="_static/p.png 2x"> <a href="mailto:a@b.c">m</a>
<a href="sub/">s</a>
<script src="_static/s.js"></script><script>import("./x.mjs")</script></body></html>
"""


@pytest.fixture
def site(tmp_path):
    for path, text in {
        "index.html": GOOD,
        "sub/b.html": '<p id="b c">b</p><a href="../index.html#top">up</a>',
        "sub/index.html": "<p>sub</p>",
        "_static/a.css": "/* https://example.org */ p { src: url('p.png') }",
        "_static/p.png": "",
        "_static/s.js": "",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_a_good_site_has_no_problems(site):
    assert links.check_site(site) == []


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        ('<a href="nowhere.html">x</a>', "leads nowhere: nowhere.html"),
        ('<a href="sub/b.html#none">x</a>', "no such anchor: sub/b.html#none"),
        ('<a href="#none">x</a>', "no such anchor: #none"),
        ('<img src="none.png">', "leads nowhere: none.png"),
        (
            '<script src="https://cdn.example.org/x.js"></script>',
            "loads from elsewhere: https://cdn",
        ),
        ('<script src="//cdn.example.org/x.js"></script>', "loads from elsewhere: //cdn"),
        ('<link rel="stylesheet" href="https://e.org/x.css">', "loads from elsewhere"),
        ('<link rel="preload" as="font" href="https://e.org/x.woff2">', "loads from elsewhere"),
        ('<img src="https://e.org/x.png">', "loads from elsewhere"),
        ('<img src="p" srcset="https://e.org/x.png 2x">', "loads from elsewhere"),
        ('<iframe src="https://e.org"></iframe>', "loads from elsewhere"),
        ("<style>@import 'https://e.org/x.css';</style>", "loads from elsewhere"),
        ('<p style="background: url(https://e.org/x.png)"></p>', "loads from elsewhere"),
        ('<script type="module">import x from "https://e.org/x.js"</script>', "a script loads"),
        ('<script>s.src = "https://e.org/x.js"</script>', "a script loads"),
        ("<pre>### BEGIN " + "SOLUTION</pre>", "holds the solution of an exercise"),
    ],
)
def test_a_planted_fault_is_found(site, planted, told):
    page = site / "index.html"
    page.write_text(GOOD.replace("</body>", f"\n{planted}</body>"))
    problems = links.check_site(site)
    assert any(told in problem and problem.startswith("index.html") for problem in problems), (
        problems
    )


def test_styles_may_not_load_from_elsewhere(site):
    (site / "_static" / "b.css").write_text("@font-face { src: url('https://e.org/f.woff2') }")
    assert links.check_site(site) == ["_static/b.css: loads from elsewhere: https://e.org/f.woff2"]


def test_a_removed_page_leaves_no_notebook(rich_book, tmp_path):
    """A notebook for download belongs to a page of this build."""
    copy = tmp_path / "copy"
    shutil.copytree(rich_book.root, copy)
    book = type(rich_book)(copy)
    book.edit("_toc.yml", "      - file: book/02-second\n", "")
    text = (copy / "book" / "01-rich.md").read_text("utf-8")
    text = re.sub(r"\n2\. Another.*?span\]\{\.special\}\.\n", "\n", text, flags=re.DOTALL)
    (copy / "book" / "01-rich.md").write_text(text)
    result = book.build("--notebooks")
    assert result.returncode == 0, result.stdout
    assert not (copy / "_build" / "html" / "chapters" / "02-second.ipynb").exists()
    assert "gone     chapters/02-second.ipynb" in result.stdout
