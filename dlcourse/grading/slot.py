"""The program of one slot of a `Grader`: it grades what comes, one submission at a time."""

import multiprocessing.connection
import os
import select
import sys
import threading
import time

from dlcourse.grading import grade, jail


def main() -> None:
    """Serve on the connection whose number is the first argument, until it is closed."""
    connection = multiprocessing.connection.Connection(int(sys.argv[1]))
    threading.Thread(target=_end_with, args=(connection.fileno(),), daemon=True).start()
    plan, level, limits, place = connection.recv()
    given = grade.judges_names(plan)
    try:
        with jail.Warden(level, modules=plan.modules, limits=limits, place=place) as warden:
            while True:
                submission, seed = connection.recv()
                try:
                    result = _once(plan, given, warden, submission, seed)
                except jail.JailError:  # nothing that a submission can bring about
                    result = _again(plan, given, warden, submission, seed)
                connection.send(result)
    except jail.JailError as error:
        connection.send(str(error))
    except (EOFError, ConnectionError):
        return


def _end_with(connection: int) -> None:
    """End this process and its jail when whoever started it is gone, in mid-submission too."""
    hung_up = select.poll()
    hung_up.register(connection, 0)
    hung_up.poll()
    time.sleep(1.0)  # one that waits for work has ended in good order by now
    os._exit(1)


def _once(plan, given, warden, submission, seed) -> grade.Result:
    if not plan.tamperable:
        return grade.grade_one(plan, given, warden, submission, seed)
    from dlcourse.grading import compat  # which other slots need not load

    return compat.grade_one(plan, given, warden, submission, seed)


def _again(plan, given, warden, submission, seed) -> grade.Result:
    """Once more in a new jail; where that fails, too, a person has to look."""
    warden.close()
    time.sleep(1.0)  # a machine short of memory or processes may have recovered
    try:
        return _once(plan, given, warden, submission, seed)
    except jail.JailError as error:
        return grade.not_judged(plan, f"the jail failed: {error}")


if __name__ == "__main__":
    main()
