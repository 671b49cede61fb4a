"""The command line: `dlcourse release ASSIGNMENT --out DIR`, and `dlcourse --help` for the rest."""

import argparse
import sys
from collections.abc import Sequence
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
    return parser


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


if __name__ == "__main__":
    sys.exit(main())
