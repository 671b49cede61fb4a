"""What comes out of grading: tables for platforms, a page for each student, one for the class.

Names, hints and messages may come from a student, so on a page every piece of text is escaped, and
the page itself forbids scripts, pictures and connections. In a table nothing begins like a formula.
Where there is no grade there is no number: a zero stands only for work that was judged.
"""

import contextlib
import csv
import hashlib
import heapq
import html
import os
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.checks import framework
from dlcourse.checks.report import as_html
from dlcourse.grading.grade import (
    DIED,
    GRADED,
    NEEDS_REVIEW,
    OUT_OF_MEMORY,
    STATES,
    TIMED_OUT,
    UNREADABLE,
    Result,
)
from dlcourse.grading.rebuild import Plan
from dlcourse.grading.submissions import Submission

BINS = 10
LISTED = 200  # rows of a list on the page of a class; the table has all
_MOST_HINTS = 20_000  # different ones that are counted

_SAID = {
    GRADED: "",
    TIMED_OUT: "Your code took too long. Points earned before that count.",
    OUT_OF_MEMORY: "Your code used too much memory. Points earned before that count.",
    DIED: "Your code ended its own process. Points earned before that count.",
    UNREADABLE: "Your file could not be read, so nothing was judged.",
    NEEDS_REVIEW: "A person will look at your notebook; what stands here is not final.",
}

# Of assignments whose tests run in the student's process.
TAMPERABLE = (
    "Tamperable: in this assignment the tests ran in the same process as the student's code, which "
    "can therefore forge the points of each test. Who relies on them should read the code."
)

_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 56em; margin: 2em auto; padding: 0 1em; }}
h1 {{ font-size: 1.5em; }} h2 {{ font-size: 1.15em; margin-top: 1.8em; }}
table {{ border-collapse: collapse; }} .wide {{ overflow-x: auto; }}
th, td {{ text-align: left; vertical-align: top; padding: 0.2em 0.9em 0.2em 0;
  border-bottom: 1px solid rgb(128 128 128 / 0.35); overflow-wrap: anywhere; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.total {{ font-size: 1.3em; font-weight: 600; }}
.told {{ border-left: 4px solid #D55E00; padding-left: 0.7em; }}
svg {{ max-width: 100%; height: auto; }}
</style>
</head>
<body>
"""
_FOOT = "</body>\n</html>\n"

Pairs = Callable[[], Iterator[tuple[Submission, Result]]]


def exported(result: Result) -> float | None:
    """The points to hand to a platform; None where nobody should take them for a grade."""
    if result.state in (UNREADABLE, NEEDS_REVIEW):
        return None
    if result.waiting:  # for a person's points
        return None
    return result.earned if result.state == GRADED or result.earned > 0 else None


def write(name: str, plan: Plan, pairs: Pairs, out: Path) -> str:
    """Write all reports; what is worth telling in a terminal.

    Args:
        name: of the assignment.
        plan: of the assignment.
        pairs: called once; gives every submission with its grade, in order.
        out: the folder.
    """
    (out / "feedback").mkdir(parents=True, exist_ok=True)
    labels = [check.label for check in plan.checks]
    most = sum(check.points for check in plan.checks)
    seen = _Class(labels, plan.tamperable)
    with contextlib.ExitStack() as stack:
        table, canvas, moodle = (
            stack.enter_context(_table(out / file))
            for file in ("grades.csv", "grades_canvas.csv", "grades_moodle.csv")
        )
        head = ["student", "name", "state", "points", "of", *labels, "late", "seconds", "file"]
        more = ["waiting for a person", "tamperable"] if plan.tamperable else []
        table([*head, "notes", "feedback", *more])
        column = f"{name} (tamperable)" if plan.tamperable else name
        canvas(["Student", "ID", "SIS User ID", "SIS Login ID", "Section", column])
        canvas(["    Points Possible", "", "", "", "", f"{most:g}"])
        moodle(["Identifier", "Full name", "Grade", "Maximum grade", "Feedback comments"])
        for submission, result in pairs():
            page = file_name(submission.student)
            told = feedback(name, submission, result, tamperable=plan.tamperable)
            _write(out / "feedback" / page, told)
            seen.add(submission, result)
            points = exported(result)
            grade = "" if points is None else f"{points:g}"
            judged = result.state not in (UNREADABLE,) and not result.ours
            done = [check for check in result.checks if judged and not check.waiting]
            earned = {check.label: f"{check.earned:g}" for check in done}
            table(
                [
                    submission.student, submission.name, result.state,
                    f"{result.earned:g}" if judged else "", f"{result.points:g}",
                    *(earned.get(label, "") for label in labels),
                    "late" if submission.late else "", f"{result.seconds:.2f}", submission.path,
                    "; ".join((*submission.notes, *result.notes)), f"feedback/{page}",
                    *([f"{result.waiting:g}", TAMPERABLE] if plan.tamperable else []),
                ]
            )  # fmt: skip
            number = submission.number
            its = number if submission.platform == "canvas" else ""
            login = "" if its else submission.student
            canvas([submission.name, its, "", login, "", grade])
            who = f"Participant {number}" if submission.platform == "moodle" else submission.student
            comment = _SAID[result.state] or _comment(result)
            comment += f" {TAMPERABLE}" if plan.tamperable else ""  # its columns have fixed names
            moodle([who, submission.name, grade, f"{result.points:g}", comment])
    _write(out / "report.html", seen.page(name, most))
    return seen.text(out, most)


def _comment(result: Result) -> str:
    return "; ".join(
        f"{check.label}: " + ("waits for a person" if check.waiting else f"{check.earned:g}")
        + f"/{check.points:g}"
        for check in result.checks
    )  # fmt: skip


# --- the page of a student ------------------------------------------------------------------------


def feedback(name: str, submission: Submission, result: Result, *, tamperable: bool = False) -> str:
    """The page of one student: points by step with their hints, and nothing that runs."""
    lines = [_HEAD.format(title=_text(f"{name}: {submission.name}"))]
    lines.append(f"<h1>{_text(name)}</h1>\n<p>{_text(submission.name)}</p>")
    if result.state != UNREADABLE and not result.ours:
        total = f"{result.earned:g} of {result.points:g} points"
        lines.append(f'<p class="total">{total}</p>')
        if result.waiting:
            lines.append(f"<p>{result.waiting:g} points wait for a person's judgment.</p>")
    if tamperable:
        lines.append(f'<p class="told">{_text(TAMPERABLE)}</p>')
    if said := _SAID[result.state]:
        lines.append(f'<p class="told"><strong>{_text(result.state)}</strong>. {_text(said)}</p>')
    if submission.late:
        lines.append("<p>Handed in late.</p>")
    if submission.notes:
        items = "".join(f"<li>{_text(note)}</li>" for note in submission.notes)
        lines.append(f"<p>You handed in several files:</p><ul>{items}</ul>")
    for check in result.checks:
        lines.append(as_html(framework.Result(check.label, check.points, check.steps)))
    return "\n".join([*lines, _FOOT])


def file_name(student: str) -> str:
    """A file name for a student: plain letters alone, and different for each."""
    plain = re.sub(r"[^a-z0-9_-]+", "_", student.lower())[:60].strip("_")
    if plain == student:
        return f"{plain}.html"
    digest = hashlib.sha256(student.encode("utf-8", "surrogateescape")).hexdigest()[:10]
    return f"{plain or 'student'}.{digest}.html"


# --- the page of a class --------------------------------------------------------------------------


@dataclass
class _Class:
    """What is counted of a class while its grades go by; its size does not grow with the class."""

    labels: list[str]
    tamperable: bool = False
    states: Counter = field(default_factory=Counter)
    bins: list[int] = field(default_factory=lambda: [0] * BINS)
    points: Counter = field(default_factory=Counter)
    full: Counter = field(default_factory=Counter)
    earned: Counter = field(default_factory=Counter)
    possible: Counter = field(default_factory=Counter)
    waiting: Counter = field(default_factory=Counter)
    judged: int = 0
    hints: Counter = field(default_factory=Counter)
    examples: dict = field(default_factory=dict)
    slowest: list = field(default_factory=list)
    look: list = field(default_factory=list)

    def add(self, submission: Submission, result: Result) -> None:
        self.states[result.state] += 1
        entry = (result.seconds, sum(self.states.values()), submission.name, result.state)
        push = heapq.heappush if len(self.slowest) < 10 else heapq.heappushpop
        push(self.slowest, entry)
        if result.state != GRADED and len(self.look) < LISTED:
            self.look.append((submission, result.state, result.earned, result.notes))
        if result.state == UNREADABLE or result.ours:
            return
        self.judged += 1
        share = result.earned / result.points if result.points else 0.0
        self.bins[min(int(share * BINS), BINS - 1)] += 1
        self.points[round(result.earned, 3)] += 1
        for check in result.checks:
            if check.waiting:
                self.waiting[check.label] += 1
                continue
            self.full[check.label] += check.earned >= check.points
            self.earned[check.label] += check.earned
            self.possible[check.label] += check.points
            for step in check.steps:
                if step.hint:
                    self._count(check.label, step)

    def _count(self, label: str, step: framework.Step) -> None:
        # The same hint names other numbers for other inputs.
        key = (label, step.title, re.sub(r"-?\d+(\.\d+)?(e[-+]?\d+)?", "#", step.hint)[:200])
        if key in self.hints or len(self.hints) < _MOST_HINTS:
            self.hints[key] += 1
            self.examples.setdefault(key, step.hint[:300])

    def mean_and_median(self) -> tuple[float, float]:
        if not self.judged:
            return 0.0, 0.0
        mean = sum(value * n for value, n in self.points.items()) / self.judged
        middle = []
        for place in ((self.judged - 1) // 2, self.judged // 2):
            at = -1
            for value in sorted(self.points):
                at += self.points[value]
                if at >= place:
                    middle.append(value)
                    break
        return mean, statistics.mean(middle)

    def hardest(self) -> list[str]:
        return sorted(self.labels, key=lambda label: (self.full[label], self.labels.index(label)))

    def page(self, name: str, most: float) -> str:
        mean, median = self.mean_and_median()
        count = sum(self.states.values())
        lines = [_HEAD.format(title=_text(f"{name}: the class")), f"<h1>{_text(name)}</h1>"]
        if self.tamperable:
            lines.append(f'<p class="told">{_text(TAMPERABLE)}</p>')
        if self.judged:
            lines.append(
                f"<p>{count} submissions, {self.judged} of them judged: mean {mean:.2f}, median "
                f"{median:g} of {most:g} points.</p>"
            )
        else:
            lines.append(f"<p>{count} submissions, none of them judged.</p>")
        lines.append("<h2>Distribution</h2>" + self.histogram(most))
        rows = [(state, self.states[state]) for state in STATES if self.states[state]]
        lines.append("<h2>States</h2>" + _rows(["state", "submissions"], rows, numbers={1}))
        rows = [
            (label, self._done(label) - self.full[label], f"{self._percent(label)}%")
            for label in self.hardest()
            if self._done(label)
        ]
        head = ["check", "without full marks", "mean"]
        lines.append("<h2>Which check fails most</h2>" + _rows(head, rows, numbers={1, 2}))
        if rows := [(label, self.waiting[label]) for label in self.labels if self.waiting[label]]:
            head = ["part", "submissions"]
            lines.append("<h2>Waiting for a person</h2>" + _rows(head, rows, numbers={1}))
        rows = [
            (n, label, title, self.examples[label, title, hint])
            for (label, title, hint), n in self.hints.most_common(15)
        ]
        head = ["times", "check", "step", "hint, for example"]
        lines.append("<h2>Commonest hints</h2>" + _rows(head, rows, numbers={0}))
        rows = [(f"{s:.2f}", name, state) for s, _, name, state in sorted(self.slowest)[::-1]]
        head = ["seconds", "student", "state"]
        lines.append("<h2>Slowest</h2>" + _rows(head, rows, numbers={0}))
        others = count - self.states[GRADED]
        rows = [
            (s.name, state, f"{earned:g}" if state != UNREADABLE else "", s.path, "; ".join(notes))
            for s, state, earned, notes in sorted(self.look, key=lambda row: row[1])
        ]
        head = ["student", "state", "points so far", "file", "why"]
        lines.append("<h2>Needs review</h2>" + _rows(head, rows, numbers={2}))
        if others > len(self.look):
            lines.append(f"<p>And {others - len(self.look)} more: see grades.csv.</p>")
        return "\n".join([*lines, _FOOT])

    def _done(self, label: str) -> int:
        """How many have been judged in one check."""
        return self.judged - self.waiting[label]

    def _percent(self, label: str) -> int:
        return round(100 * self.earned[label] / (self.possible[label] or 1))

    def histogram(self, most: float) -> str:
        """How many earned how much, as a picture with the same numbers in words."""
        width, height, bar = 600, 180, 600 / BINS
        top = max([*self.bins, 1])
        parts, words = [], []
        for place, count in enumerate(self.bins):
            tall = height * count / top
            x, y = place * bar, 20 + height - tall
            low, high = place * most / BINS, (place + 1) * most / BINS
            words.append(f"{low:g} to {high:g} points: {count}")
            parts.append(
                f'<rect x="{x + 2:.1f}" y="{y:.1f}" width="{bar - 4:.1f}" height="{tall:.1f}" '
                f'fill="#0072B2"/><text x="{x + bar / 2:.1f}" y="{y - 5:.1f}" '
                f'text-anchor="middle">{count}</text><text x="{x + bar / 2:.1f}" y="218" '
                f'text-anchor="middle">{low:g}–{high:g}</text>'
            )
        said = _text("; ".join(words))
        return (
            f'<svg viewBox="0 0 {width} 226" role="img" aria-label="{said}" font-size="12" '
            f'fill="currentColor"><line x1="0" y1="200" x2="{width}" y2="200" '
            f'stroke="currentColor"/>{"".join(parts)}</svg>'
        )

    def text(self, out: Path, most: float) -> str:
        """The class in a terminal."""
        mean, median = self.mean_and_median()
        lines = [f"{state:>14}  {self.states[state]}" for state in STATES if self.states[state]]
        if self.judged:
            lines.append(f"{'mean, median':>14}  {mean:.2f}, {median:g} of {most:g} points")
        width = max(map(len, self.labels), default=0)
        for label in self.labels:
            share = self._percent(label) if self.judged else 0
            bar = "#" * round(share / 5)
            full = f"full marks {self.full[label]} of {self._done(label)}"
            if waiting := self.waiting[label]:
                full += f", {waiting} for a person to judge"
            lines.append(f"  {label:{width}}  {bar:20}  {share:3}%  {full}")
        others = sum(self.states.values()) - self.states[GRADED]
        lines.append(
            f"Wrote {out / 'grades.csv'}, report.html, feedback/ and the tables for Canvas and "
            f"Moodle: {sum(self.states.values())} submissions, {others} to look at."
        )
        if self.tamperable:
            lines.append(TAMPERABLE)
        return "\n".join(lines)


# --- pieces ---------------------------------------------------------------------------------------


def _text(text: str) -> str:
    """Text for a page; halves of characters and invisible control signs become visible."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return html.escape(re.sub(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", "�", text))


def _rows(head: list[str], rows: Iterable[tuple], numbers: set[int]) -> str:
    kind = lambda n: ' class="number"' if n in numbers else ""
    cells = "".join(f'<th scope="col"{kind(n)}>{_text(t)}</th>' for n, t in enumerate(head))
    body = "\n".join(
        "<tr>" + "".join(f"<td{kind(n)}>{_text(str(c))}</td>" for n, c in enumerate(row)) + "</tr>"
        for row in rows
    )
    if not body:
        return "<p>None.</p>"
    return f'<div class="wide"><table>\n<tr>{cells}</tr>\n{body}\n</table></div>'


def _write(path: Path, text: str) -> None:
    """Write a file at once: whoever reads it sees the old or the new one."""
    whole = path.with_name(path.name + ".part")
    whole.write_text(text, encoding="utf-8", errors="backslashreplace")
    os.replace(whole, path)


@contextlib.contextmanager
def _table(path: Path) -> Iterator[Callable[[list[str]], None]]:
    """Write a table at once; gives what writes a row."""
    whole = path.with_name(path.name + ".part")
    with open(whole, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        yield lambda row: writer.writerow([plain(cell) for cell in row])
    os.replace(whole, path)


def plain(cell: str) -> str:
    """A cell that a spreadsheet will not take for a formula: students choose names and messages."""
    formula = cell.lstrip().startswith(("=", "+", "-", "@")) or cell.startswith(("\t", "\r"))
    return f"'{cell}" if formula else cell.replace("\0", "")
