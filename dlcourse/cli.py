"""The command line: `dlcourse release ASSIGNMENT --out DIR`, `dlcourse data get NAME`, and
`dlcourse --help` for the rest."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dlcourse import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 for success, 1 for a trouble that was explained, 2 for a wrong call.

    Args:
        arguments: the words after `dlcourse`; those of the shell by default.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, ValueError) as error:  # an AssignmentError is a ValueError
        print(f"dlcourse {options.command}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dlcourse",
        description="The command line of dlcourse, an interactive course on deep learning.",
    )
    parser.add_argument("--version", action="version", version=f"dlcourse {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    release = commands.add_parser(
        "release",
        help="lay out an assignment as a course folder for nbgrader",
        description=(
            "Write an assignment, with its solutions, into a course folder for nbgrader: "
            "DIR/source/NAME/NAME.ipynb, and DIR/nbgrader_config.py where there is none yet."
        ),
    )
    release.add_argument(
        "assignment",
        metavar="ASSIGNMENT",
        help="path of the manuscript (.md), or a name in book/exercises: 07-backpropagation",
    )
    release.add_argument(
        "--out", required=True, metavar="DIR", type=Path, help="the course folder; made if missing"
    )
    release.set_defaults(run=_release)
    _add_data(commands)
    _add_grade(commands)
    _add_gradescope(commands)
    doctor = commands.add_parser(
        "doctor",
        help="show which jails this machine offers, and what a jailed notebook sees",
        description="Try every level of the jail, and prove from inside what the best one holds.",
    )
    doctor.add_argument(
        "--level", type=int, choices=(1, 2, 3), help="look into this one instead of the best"
    )
    doctor.add_argument("--image", metavar="NAME", help="for level 3, as for grade")
    doctor.set_defaults(run=_doctor)
    return parser


def _add_grade(commands) -> None:
    grade = commands.add_parser(
        "grade",
        help="grade a class, each notebook in a jail",
        description=(
            "Grade the notebooks of a class. Students' code runs in a jail; the judgment does "
            "not. Writes tables (grades.csv, and for Canvas and Moodle), a page for each student "
            "and one for the class into DIR. What is graded already is not graded again."
        ),
    )
    grade.add_argument(
        "assignment",
        metavar="ASSIGNMENT",
        help="as for release: a path or 07-backpropagation; with --compat a course's source/ps1",
    )
    grade.add_argument(
        "submissions",
        metavar="SUBMISSIONS",
        type=Path,
        help="a folder or zip: of notebooks, of folders, from Canvas, Moodle or nbgrader",
    )
    grade.add_argument("--out", required=True, metavar="DIR", type=Path, help="made if missing")
    grade.add_argument(
        "--jobs",
        type=_positive,
        metavar="N",
        help="how many at a time, on each machine; all processors by default",
    )
    grade.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="of a Dask scheduler, tcp://HOST:PORT: its workers grade, and this machine keeps "
        "the grades",
    )
    grade.add_argument(
        "--seed", type=int, help="of the run; DIR's last one by default, else a new secret one"
    )
    grade.add_argument("--level", type=int, choices=(1, 2, 3, 4), help="of the jail; see doctor")
    grade.add_argument(
        "--image", metavar="NAME", help="for level 3: a container image, instead of building one"
    )
    grade.add_argument(
        "--no-jail", action="store_true", help="allow level 4: strangers' code with your rights"
    )
    grade.add_argument(
        "--resume", action="store_true", help="only go on with the run in DIR, or say what changed"
    )
    grade.add_argument(
        "--watch",
        nargs="?",
        type=float,
        const=float("inf"),
        metavar="SECONDS",
        help="stay, and grade what is dropped into the folder, until Ctrl-C or so many seconds",
    )
    grade.add_argument(
        "--gradebook", type=Path, metavar="DB", help="also write the points to nbgrader's gradebook"
    )
    grade.add_argument(
        "--compat",
        action="store_true",
        help=(
            "ASSIGNMENT was made for nbgrader: a notebook whose tests are cells with assertions, "
            "or its folder. Its tests run in the student's process, which can forge their points, "
            "and every table says so"
        ),
    )
    grade.add_argument(
        "--timeout",
        type=_positive,
        metavar="SECONDS",
        help="for one cell or call, and six times as many for a notebook; 10, with --compat 30",
    )
    grade.set_defaults(run=_grade)


def _add_gradescope(commands) -> None:
    gradescope = commands.add_parser(
        "gradescope",
        help="make the archive that grades an assignment on Gradescope",
        description=(
            "Write the autograder archive of an assignment for Gradescope. It holds the solutions "
            "and the secret seed: only instructors may have it."
        ),
    )
    gradescope.add_argument(
        "assignment", metavar="ASSIGNMENT", help="as for release: a path or 07-backpropagation"
    )
    gradescope.add_argument("--out", required=True, metavar="ZIP", type=Path)
    gradescope.add_argument("--seed", type=int, help="of all runs; a new secret one by default")
    gradescope.add_argument(
        "--no-jail",
        action="store_true",
        help="grade even where Gradescope's container allows no jail: it is then the only wall",
    )
    gradescope.set_defaults(run=_gradescope)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def _add_data(commands) -> None:
    data = commands.add_parser(
        "data",
        help="list, download and check the full-size data sets",
        description=(
            "The data sets that are too large to come along. They lie in the folder that the "
            "environment variable DLCOURSE_DATA names, else in the platform's cache folder, and "
            "files that you put there yourself are as good as downloaded ones."
        ),
    )
    actions = data.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="show which there are, and which are here")
    listing.set_defaults(run=_data_list)
    for name, run, words in (
        ("get", _data_get, "download a set, unless it is here, and check its content"),
        ("where", _data_where, "print the paths of a set's files"),
        ("verify", _data_verify, "check the content of a set that is here"),
    ):
        action = actions.add_parser(name, help=words, description=words.capitalize() + ".")
        action.add_argument("names", metavar="NAME", nargs="+", help="as `list` shows it")
        action.set_defaults(run=run)
        if name == "get":
            action.add_argument(
                "--quiet", action="store_true", help="no progress bar, as where no terminal is"
            )


def _release(options: argparse.Namespace) -> int:
    from dlcourse.grading import assignment

    notebook = assignment.release(assignment.find(options.assignment), options.out)
    name = notebook.stem
    print(
        f"Wrote {notebook}\n"
        f"Then, in {options.out}, with this Python's environment activated:\n"
        f"  nbgrader generate_assignment {name}\n"
        f"      writes release/{name}/, without solutions: hand this out\n"
        f"  collect each answer as submitted/STUDENT/{name}/{name}.ipynb\n"
        f"  nbgrader autograde {name}\n"
        "      runs them and keeps the scores in gradebook.db. It does not shield your machine\n"
        "      from their code: run it where a stranger's program may run."
    )
    return 0


def _data_list(options: argparse.Namespace) -> int:
    from dlcourse.data import real
    from dlcourse.data.download import data_folder

    rows = [("name", "examples", "download", "task", "license", "here")]
    for name, about in real.CATALOGUE.items():
        here = "yes" if real.where(name) else "no"
        size = f"{about.size / 1e6:.1f} MB"
        rows.append((name, about.examples, size, about.task, about.licence, here))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())
    print(f"\nin {data_folder()}")
    return 0


def _data_get(options: argparse.Namespace) -> int:
    from dlcourse.data import real

    for name in options.names:
        for path in real.get(name, progress=False if options.quiet else None):
            print(path)
    return 0


def _data_where(options: argparse.Namespace) -> int:
    from dlcourse.data import real

    missing = []
    for name in options.names:
        paths = real.where(name)
        print(*paths, sep="\n", end="\n" if paths else "")
        if not paths:
            missing.append(f"{name} is not here; it would go to {' and '.join(real.places(name))}")
    if missing:
        raise ValueError("\n".join(missing))
    return 0


def _data_verify(options: argparse.Namespace) -> int:
    from dlcourse.data import real

    troubles = []
    for name in options.names:
        try:
            paths = real.verify(name)
        except OSError as error:
            troubles.append(str(error))
        else:
            print(f"{name}: content as expected, in {', '.join(map(str, paths))}")
    if troubles:
        raise ValueError("\n".join(troubles))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from dlcourse.grading import container, doctor

    if options.level == 3:
        return container.examine(options.image)
    good = True
    for line in doctor.report(options.level):
        good = good and not line.lstrip().startswith(("BAD", "There is no jail"))
        print(line, flush=True)
    return 0 if good else 1


def _gradescope(options: argparse.Namespace) -> int:
    from dlcourse.grading import assignment, gradescope

    path = gradescope.make(
        assignment.find(options.assignment),
        options.out,
        seed=options.seed,
        no_jail=options.no_jail,
    )
    print(f"Wrote {path}: upload it as the autograder of the assignment. It holds the solutions.")
    return 0


def _grade(options: argparse.Namespace) -> int:
    from dlcourse.grading import assignment, compat, container, jail, run

    if options.level == 3:
        return container.grade(
            assignment.find(options.assignment),
            options.submissions,
            options.out,
            _words(options),
            jobs=options.jobs,
            image=options.image,
        )
    limits = compat.LIMITS if options.compat else jail.DEFAULT
    if options.timeout:
        limits = replace(limits, call=float(options.timeout), total=6.0 * options.timeout)
    if options.compat:
        sources = compat.notebooks(options.assignment)
    else:
        sources = [assignment.find(options.assignment)]
    if len(sources) > 1 and options.watch is not None:
        raise ValueError(f"{options.assignment} holds {len(sources)} notebooks; --watch takes one")
    status = 0
    for source in sources:
        if len(sources) > 1:
            print(f"== {source.stem}", flush=True)
        status = run.grade_class(
            source,
            options.submissions,
            options.out / source.stem if len(sources) > 1 else options.out,
            jobs=options.jobs,
            seed=options.seed,
            level=options.level,
            no_jail=options.no_jail,
            resume=options.resume,
            watch=options.watch,
            gradebook=options.gradebook,
            dask=options.dask,
            compat=options.compat,
            limits=limits,
        )
        if status:
            break
    return status


def _words(options: argparse.Namespace) -> list[str]:
    """The options that the judge in a container gets."""
    for option in ("gradebook", "dask", "compat"):
        if getattr(options, option):
            raise ValueError(f"--{option} does not work with --level 3, in a container")
    words = ["--timeout", str(options.timeout)] if options.timeout else []
    words += ["--seed", str(options.seed)] if options.seed is not None else []
    words += ["--watch", str(options.watch)] if options.watch is not None else []
    return [*words, "--resume"] if options.resume else words


if __name__ == "__main__":
    sys.exit(main())
