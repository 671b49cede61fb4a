"""Hostile, broken and unusual submissions in one class: each gets its due, and nothing gets out."""

import copy
import json
import os
import secrets
import socket
import tempfile
import threading
from pathlib import Path

import nbformat
import pytest
from hostile.attacks import ATTACKS, FAIR, source
from hostile.files import FILES

from dlcourse.grading import assignment, jail
from dlcourse.grading.grade import STATES, Grader

ROOT = Path(__file__).parents[2]
MANUSCRIPT = ROOT / "book" / "exercises" / "07-backpropagation.md"
MEMORY = 256 + os.getpid() % 256
LIMITS = jail.Limits(call=2.0, total=8.0, memory=MEMORY, disk=9, threads=8)
MARK = f": {MEMORY << 20}"  # stands in the command line of our jails and of nobody else's
SEED = 20_240_229

LEVELS = [level for level in jail.BEST if not jail.obstacle(level)]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LEVELS, reason=f"no jail here: {jail.obstacle(1)}; {jail.obstacle(2)}"),
]


@pytest.fixture(scope="module")
def notebook():
    return assignment.read(MANUSCRIPT)


@pytest.fixture(scope="module")
def short(notebook):
    """The assignment with its first three exercises alone."""
    short = copy.deepcopy(notebook)
    left_out = {f"{name}{part}" for name in ("two-layer-backward", "backward")
                for part in ("", "-check")}  # fmt: skip
    short.cells = [cell for cell in short.cells if cell.id not in left_out]
    return short


def solved(notebook) -> dict:
    solution = json.loads(nbformat.writes(assignment.solution_version(notebook)))
    for cell in solution["cells"]:
        cell["source"] = "".join(cell["source"])
    return solution


def answered(notebook, **sources) -> bytes:
    """The solved notebook, with other text in some answers."""
    handed = solved(notebook)
    for cell in handed["cells"]:
        cell["source"] = sources.get(cell["id"].replace("-", "_"), cell["source"])
    return json.dumps(handed).encode()


@pytest.fixture(scope="module")
def canaries():
    """What must not be read, touched or reached: files, a variable, servers."""
    canary = f"canary-{secrets.token_hex(8)}"
    temporary = tempfile.TemporaryDirectory()
    folder = Path(temporary.name)
    folder.chmod(0o755)  # nothing but the jail is to stand in the way
    for name in ("others", "out"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    (folder / "others" / "ada.ipynb").write_text(canary)
    (folder / "secret").write_text(canary)
    (folder / "secret").chmod(0o666)
    visits = []
    tcp = socket.create_server(("127.0.0.1", 0))
    unix, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    unix.bind(str(folder / "socket"))
    (folder / "socket").chmod(0o777)
    abstract.bind(f"\0{canary}-socket")
    for server in (tcp, unix, abstract):
        server.listen()

        def accept(server=server):
            while True:
                try:
                    visits.append(server.accept())
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
    places = {
        "solutions": str(MANUSCRIPT.parent),
        "checks": str(ROOT / "dlcourse" / "checks"),
        "judge": str(ROOT / "dlcourse" / "grading" / "grade.py"),
        "others": str(folder / "others"),
        "out": str(folder / "out"),
        "secret": str(folder / "secret"),
        "port": str(tcp.getsockname()[1]),
        "unix": str(folder / "socket"),
        "abstract": f"{canary}-socket",
    }
    os.environ["DLCOURSE_CANARY"] = canary
    yield {"places": places, "canary": canary, "folder": folder, "visits": visits}
    del os.environ["DLCOURSE_CANARY"]
    for server in (tcp, unix, abstract):
        server.close()
    temporary.cleanup()


@pytest.fixture(scope="module", params=LEVELS, ids=lambda level: f"level{level}")
def attacked(request, short, canaries):
    """A class of attackers with an honest student after each: name -> result."""
    honest = answered(short)
    handed = []
    for n, attack in enumerate(ATTACKS):
        text = source(attack, canaries["places"])
        handed.append((attack.name, answered(short, neuron_backward=text)))
        handed.append((n, honest))
    with Grader(short, level=request.param, jobs=2, limits=LIMITS) as grader:
        results = dict(grader.grade_many(handed, SEED))
    return results


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_earns_nothing_and_leaks_nothing(attacked, canaries, attack):
    result = attacked[attack.name]
    shown = repr(result)
    too_busy = result.state == "timed out" and result.seconds > LIMITS.call  # the machine is
    assert result.state in attack.states or too_busy, shown
    assert result.checks[0].earned == 0.0, shown
    assert result.earned <= FAIR if attack.points is None else result.earned == FAIR, shown
    assert result.seconds <= LIMITS.total + 2, shown
    for secret in (canaries["canary"], "dL/ds times ds/dz", "def _wrong_neurons", "class Grader",
                   "CONNECTED", "WROTE", "STARTED", "root:"):  # fmt: skip
        assert secret not in shown
    assert len(shown) < 30_000
    assert "\x1b" not in shown


def test_the_honest_among_them_are_untouched(attacked):
    honest = [attacked[n] for n in range(len(ATTACKS))]
    assert {(r.state, r.earned, r.notes) for r in honest} == {("graded", 6.5, ())}


def test_nothing_was_reached_or_left_behind(attacked, canaries):
    folder = canaries["folder"]
    assert canaries["visits"] == []
    assert os.listdir(folder / "out") == []
    assert os.listdir(folder / "others") == ["ada.ipynb"]
    assert (folder / "secret").read_text() == canaries["canary"]
    assert "FOUND ['note" not in repr(attacked)
    assert left_running() == []


def left_running() -> list[str]:
    """The command lines of jails of ours that still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text()
        except OSError:
            continue
        if "dlcourse.grading.zygote" in words and MARK in words:
            found.append(words)
    return found


def test_a_note_is_not_found_by_the_next(short):
    leaves = (
        "import os\nprint('FOUND', os.listdir('/scratch'))\nopen('/scratch/note', 'w').write('x')"
    )
    if LEVELS[0] != 1:
        pytest.skip("only level 1 gives a folder to write to")
    handed = answered(short, neuron_backward=leaves)
    with Grader(short, level=1, jobs=1, limits=LIMITS) as grader:
        first, second = grader.grade(handed, SEED), grader.grade(handed, SEED)
    assert "FOUND []" in first.output
    assert "FOUND []" in second.output


@pytest.fixture(scope="module")
def filed(notebook):
    """A class of strange files: name -> result."""
    handed = [(name, make(solved(notebook))) for name, (make, _, _) in FILES.items()]
    with Grader(notebook, jobs=2, limits=LIMITS) as grader:
        return dict(grader.grade_many(handed, SEED))


@pytest.mark.parametrize("name", FILES)
def test_a_strange_file_gets_its_due(filed, name):
    _, state, points = FILES[name]
    result = filed[name]
    assert (result.state, result.earned) == (state, points), repr(result)
    assert len(result.checks) == 5
    assert result.points == 10.0
    if state == "unreadable":
        assert result.notes[0]
        assert "cannot be read" in result.checks[0].steps[0].hint


def test_grading_twice_gives_the_same(short):
    wrong = "def neuron_backward(w, b, x, t):\n    return np.random.rand(), hash('x'), w"
    handed = answered(short, neuron_backward=wrong)
    graded = []
    for _ in range(2):
        with Grader(short, jobs=1, limits=LIMITS) as grader:
            graded += [grader.grade(handed, SEED), grader.grade(handed, SEED)]
    assert len({(r.state, r.checks, r.notes) for r in graded}) == 1
    with Grader(short, jobs=1, limits=LIMITS) as grader:
        assert grader.grade(handed, SEED + 1).checks != graded[0].checks, "the seed is used"


def test_the_states_are_told_apart(attacked):
    assert {result.state for result in attacked.values()} == set(STATES) - {"unreadable"}
