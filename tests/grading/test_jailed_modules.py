"""A module of PyTorch in the jail: judged as in the notebook, and no lie of it earns a point."""

import copy
import inspect
import json
import os
import re
import socket
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import nbformat
import pytest
import test_convolution_answers as corpus
from hostile.modules import MODULES

from dlcourse.checks import convolution as check
from dlcourse.grading import assignment, jail, proxies
from dlcourse.grading.grade import Grader, submission_seed

MANUSCRIPT = Path(__file__).parents[2] / "book" / "exercises" / "10-convolution.md"
SEED = 20_240_229
LIMITS = jail.Limits(call=10.0, total=60.0, memory=256, disk=9, threads=8)
LEVELS = [level for level in jail.BEST if not jail.obstacle(level)]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LEVELS, reason=f"no jail here: {jail.obstacle(1)}; {jail.obstacle(2)}"),
]


@pytest.fixture(scope="module")
def notebook():
    return assignment.read(MANUSCRIPT)


def answered(notebook, **sources) -> bytes:
    """The solved notebook, with other text in some answers."""
    handed = json.loads(nbformat.writes(assignment.solution_version(notebook)))
    for cell in handed["cells"]:
        cell["source"] = sources.get(cell["id"].replace("-", "_"), "".join(cell["source"]))
    return json.dumps(handed).encode()


# --- the corpus -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers():
    """The whole corpus of right and wrong answers, defined in one jailed process."""
    limits = jail.Limits(call=20.0, total=400.0)
    with jail.Warden(LEVELS[0], modules=["numpy", "torch"], limits=limits) as warden:
        link = proxies.Link(warden, time.monotonic() + 400, 20)
        link.ask("run", "corpus", inspect.getsource(corpus), False)
        yield link


# A right module takes longest, and one of each kind is enough.
CASES = [(case[1], case[0]) for case in corpus.WRONG] + [
    (name, answer)
    for answer, name in corpus.HONEST
    if answer not in (corpus.AllConvolutions, corpus.BlockInSequence)
]


@pytest.mark.parametrize(("name", "answer"), CASES, ids=[answer.__name__ for _, answer in CASES])
def test_a_jailed_answer_is_told_what_a_free_one_is(answers, name, answer):
    free = getattr(check, name)(answer, seed=3)
    jailed = getattr(check, name)(answers.ask("get", answer.__name__), seed=3)
    assert told(jailed) == told(free)


def told(result):
    """The steps; how often a tensor has been changed depends on the copies that were made."""
    return re.sub(r"version \d", "version n", repr(result.steps))


def test_a_function_of_the_judges_runs_beside_an_object(answers):
    answers.ask("run", "counter", "class Counter:\n    n = 5\ncounter = Counter()", False)
    counter = answers.ask("get", "counter")

    def raise_by(counter, by):
        import math

        counter.n += by
        return math.factorial(counter.n)

    source = textwrap.dedent(inspect.getsource(raise_by))
    there = answers.ask("lend", source, "raise_by")
    assert there(counter, 2) == 5040
    assert counter.n == 7
    with pytest.raises(NameError, match="raise_by"):
        answers.ask("get", "raise_by")
    look = counter.beside(check_of_the_type)
    assert look(counter) == "Counter"
    with pytest.raises(AttributeError) as raised:
        counter.beside(wants_what_is_not_there)(counter)
    assert raised.value.student_frame is None, "the line is not the student's"


def test_pytorch_knows_the_processor(answers):
    torch = pytest.importorskip("torch")
    ask = "import torch\ncapability = torch.backends.cpu.get_cpu_capability()"
    answers.ask("run", "processor", ask, False)
    assert answers.ask("get", "capability") == torch.backends.cpu.get_cpu_capability()


def check_of_the_type(thing):
    return type(thing).__name__


def wants_what_is_not_there(thing):
    return thing.nothing


# --- whole notebooks ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grader(notebook):
    with Grader(notebook, jobs=1, limits=LIMITS) as grader:
        yield grader


def test_the_solution_earns_all_and_the_empty_one_nothing(grader, notebook):
    result = grader.grade(answered(notebook), SEED)
    assert (result.state, result.earned, result.points, result.notes) == ("graded", 10.0, 10.0, ())
    empty = nbformat.writes(assignment.student_version(notebook)).encode()
    result = grader.grade(empty, SEED)
    assert (result.state, result.earned, result.notes) == ("graded", 0.0, ())
    assert all("is not written yet" in judged.steps[0].hint for judged in result.checks)
    assert "`LeNet.__init__` is not written yet" in result.checks[4].steps[0].hint


@pytest.mark.parametrize(
    "answer",
    [corpus.NoPadding, corpus.Probabilities, corpus.PlainList, corpus.Detached, corpus.NoSuper],
    ids=lambda answer: answer.__name__,
)
def test_a_wrong_module_earns_in_the_jail_what_it_earns_in_the_notebook(grader, notebook, answer):
    classes = [c for c in answer.__mro__[::-1] if c.__module__ == corpus.__name__]
    classes = [corpus.Net, *(c for c in classes if c is not corpus.Net)]
    text = "\n\n".join(inspect.getsource(c) for c in classes)
    handed = answered(notebook, lenet=f"{text}\n\nLeNet = {answer.__name__}\n")
    result = grader.grade(handed, SEED)
    free = check.LeNet(answer, seed=submission_seed(SEED, handed))
    assert result.checks[4].earned == float(free) < 2.5
    assert [s.state for s in result.checks[4].steps] == [s.state for s in free.steps]
    assert result.earned == 7.5 + float(free)


def test_a_class_that_fails_at_its_definition_costs_its_own_exercise_alone(grader, notebook):
    result = grader.grade(
        answered(notebook, lenet="class LeNet(nn.Module):\n    x = nothing"), SEED
    )
    assert (result.state, result.earned) == ("graded", 7.5)
    assert "NameError: name 'nothing' is not defined" in result.checks[4].steps[0].hint


# --- hostile modules ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def short(notebook):
    """The assignment with its pooling and its network alone."""
    short = copy.deepcopy(notebook)
    kept = {"set-up", "max-pool", "max-pool-check", "lenet", "lenet-check"}
    short.cells = [cell for cell in short.cells if cell.id in kept]
    return short


@pytest.fixture(scope="module")
def attacked(short):
    """A class of attackers with an honest student after every fourth: name -> result, visits."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        visits = []
        tcp, unix = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
        unix.bind(f"{folder}/socket")
        os.chmod(f"{folder}/socket", 0o777)
        unix.listen()
        for server in (tcp, unix):
            server.settimeout(120)
            threading.Thread(
                target=lambda s=server: visits.append(accepted(s)), daemon=True
            ).start()
        places = {"port": str(tcp.getsockname()[1]), "unix": f"{folder}/socket"}
        handed = []
        for n, attack in enumerate(MODULES):
            handed.append((attack.name, answered(short, lenet=filled(attack.code, places))))
            if n % 4 == 0:
                handed.append((n, answered(short)))
        with Grader(short, jobs=2, limits=LIMITS) as grader:
            results = dict(grader.grade_many(handed, SEED))
        seen = [visit for visit in visits if visit]
        for server in (tcp, unix):
            server.close()
        yield results, seen


def accepted(server):
    try:
        return server.accept()
    except OSError:  # closed, or nobody came
        return None


def filled(code: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        code = code.replace("{" + name + "}", value)
    return code.strip("\n")


@pytest.mark.parametrize("attack", MODULES, ids=lambda attack: attack.name)
def test_a_hostile_module_earns_nothing_unearned(attacked, attack):
    results, _ = attacked
    result = results[attack.name]
    shown = repr(result)
    assert result.state in attack.states, shown
    assert result.earned == pytest.approx(attack.points), shown
    assert result.checks[0].earned == 1.0
    assert result.checks[1].steps[2].state == "not yet", "it does not compute what was asked"
    assert result.checks[1].steps[4].state != "passed"
    assert "fault in the check" not in shown
    for secret in ("CONNECTED", "def _lenet", "<function _lenet"):
        assert secret not in shown
    assert len(shown) < 30_000


def test_the_honest_among_them_are_untouched(attacked):
    results, visits = attacked
    honest = [result for name, result in results.items() if isinstance(name, int)]
    assert len(honest) == -(-len(MODULES) // 4)
    assert {(r.state, r.earned, r.notes) for r in honest} == {("graded", 3.5, ())}
    assert visits == []
