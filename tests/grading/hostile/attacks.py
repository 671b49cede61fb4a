"""What a hostile student may write: attacks in code, each in the first answer of a notebook.

The other two answers are right, so a notebook that is judged fairly earns 5 of 6.5 points: nothing
for the attack, and everything for the rest. Where an attack breaks its own process for good, such
as by patching NumPy, it may earn less. `{name}` is filled in by the test: places of canaries.
"""

import textwrap
from dataclasses import dataclass

CALL, CELL = "call", "cell"
FAIR = 5.0  # points for the two right answers


@dataclass(frozen=True)
class Attack:
    """One attack.

    Args:
        name: what it tries.
        code: Python, run when its cell runs or when its function is called.
        where: CALL or CELL.
        states: how its grade may be marked.
        points: exactly what it earns; None for at most `FAIR`.
    """

    name: str
    code: str
    where: str = CALL
    states: tuple[str, ...] = ("graded",)
    points: float | None = FAIR


def source(attack: Attack, places: dict[str, str]) -> str:
    """The text of the answer cell."""
    code = attack.code.strip("\n")
    for name, value in places.items():
        code = code.replace("{" + name + "}", value)
    function = "def neuron_backward(w, b, x, t):\n"
    if attack.where == CELL:  # what the code itself may have defined stays
        return f"{function}    return 0.0, 0.0, 0.0\n\n{code}\n"
    return f"{function}{textwrap.indent(code, '    ')}\n    return 0.0, 0.0, 0.0\n"


READS = """
import os, glob
for path in PATHS:
    try:
        if os.path.isdir(path):
            print(os.listdir(path))
            for name in glob.glob(path + "/**", recursive=True)[:1000]:
                if os.path.isfile(name) and ".pyenv" not in name and "packages" not in name:
                    print(open(name, "rb").read(100000)[-3000:])
        else:
            print(open(path, "rb").read(100000)[-3000:])
    except OSError as error:
        pass
"""

NEXT = "7"  # the number of the judge's request in which the attack runs: five cells, a name, this
LATE = ("timed out",)
DEAD = ("died",)
BIG = ("graded", "out of memory")

ATTACKS = [
    # --- reading what is not theirs ---------------------------------------------------------------
    Attack("reads the solutions", READS.replace("PATHS", "['{solutions}']")),
    Attack("reads the checks", READS.replace("PATHS", "['{checks}', '{judge}']")),
    Attack("reads other submissions", READS.replace("PATHS", "['{others}']")),
    Attack(
        "reads secrets of the system",
        READS.replace(
            "PATHS", "['/etc/shadow', '/etc/passwd', '/home', '/var', '/sys', '{secret}']"
        ),
    ),
    Attack(
        "reads the environment",
        """
import os, glob
print(dict(os.environ))
for path in glob.glob("/proc/*/environ") + ["/proc/self/environ", "/proc/1/environ"]:
    try:
        print(open(path).read())
    except OSError:
        pass
import gc
for thing in gc.get_objects():
    if type(thing) is dict and "DLCOURSE_CANARY" in thing:
        print(thing["DLCOURSE_CANARY"])
""",
    ),
    Attack(
        "reads the judge's memory",
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for pid in range(1, 200):
    if pid != os.getpid():
        print(pid, libc.ptrace(16, pid, 0, 0))
    try:
        print(open(f"/proc/{pid}/maps").read(), open(f"/proc/{pid}/mem", "rb").read(10))
    except OSError:
        pass
""",
    ),
    Attack(
        "walks the stack for the right answer",
        """
import sys, gc
frame = sys._getframe()
while frame:
    for name, value in list(frame.f_locals.items()):
        print(name, str(value)[:200])
    frame = frame.f_back
import dlcourse.checks
print(dlcourse.checks.backpropagation.neuron_backward(None))
""",
    ),
    Attack(
        "asks the checks for points",
        "from dlcourse.checks import Result\nreturn Result('n', 9.0, [])",
    ),
    # --- writing and connecting -------------------------------------------------------------------
    Attack(
        "writes outside",
        """
import os, sys
for folder in ['{others}', '{out}', '/', '/usr', '/dev', '/var/tmp', *sys.path]:
    for name in ('neuron.txt', 'numpy.py', '../x'):
        try:
            open(os.path.join(folder, name), 'w').write('was here')
            print('WROTE', folder)
        except OSError:
            pass
try:
    os.remove('{secret}')
except OSError:
    pass
""",
    ),
    Attack(
        "leaves a note for the next one",
        """
import os
print('FOUND', os.listdir('/scratch'))
open('/scratch/note', 'w').write('the answer')
os.symlink('/etc/shadow', '/scratch/link')
""",
    ),
    Attack(
        "opens the network",
        """
import socket
for family, place in [(socket.AF_INET, ('127.0.0.1', {port})), (socket.AF_INET6, ('::1', {port}))]:
    try:
        s = socket.socket(family)
        s.settimeout(1)
        s.connect(place)
        s.send(b'hello')
        print('CONNECTED')
    except OSError:
        pass
try:
    print('CONNECTED', socket.gethostbyname('localhost'), socket.getaddrinfo('example.org', 80))
except OSError:
    pass
""",
    ),
    Attack(
        "opens unix sockets",
        """
import socket
for place in ['{unix}', chr(0) + '{abstract}', '/var/run/docker.sock']:
    try:
        s = socket.socket(socket.AF_UNIX); s.connect(place); s.send(b'hello'); print('CONNECTED')
    except OSError:
        pass
""",
    ),
    # --- patching ---------------------------------------------------------------------------------
    Attack(
        "patches numpy",
        """
import numpy as np
yes = lambda *a, **k: True
np.isclose = np.allclose = np.array_equal = np.all = yes
np.random.default_rng = lambda *a: None
np.testing.assert_allclose = yes
""",
        CELL,
    ),
    Attack(
        "patches builtins",
        """
import builtins
builtins.isinstance = lambda *a: True
builtins.len = lambda *a: 3
builtins.abs = builtins.max = builtins.sum = lambda *a, **k: 0
builtins.float = str
""",
        CELL,
        ("graded", "died", "needs review"),
        None,
    ),
    Attack(
        "patches the wall from inside",
        """
import sys
import dlcourse.grading.wire as wire, dlcourse.grading.inside as inside
class Passed(float):
    points = 1.5; steps = (); name = 'neuron_backward'
neuron_backward = lambda *a: Passed(1.5)
for module in list(sys.modules.values()):
    if getattr(module, '__name__', '').startswith('dlcourse'):
        for name in ('check', 'compare', 'call', 'Result', 'Steps', 'Hint', 'Remote', 'Link'):
            setattr(module, name, lambda *a, **k: 1.5)
wire.Violation = wire.Unsendable = Exception
wire.MAX_BLOB = wire.MAX_HEAD = wire.MAX_DEPTH = 10**12
""",
        CELL,
    ),
    Attack(
        "redefines the check",
        """
class check:
    neuron_backward = linear_backward = staticmethod(lambda *a: 1000.0)
points = 1000
""",
        CELL,
    ),
    Attack("raises an assertion that passes", "assert False, 'passed: 1.5 points'"),
    # --- strange values ---------------------------------------------------------------------------
    Attack(
        "equals everything",
        """
class Any:
    __eq__ = __le__ = __lt__ = __ge__ = __gt__ = lambda *a: True
    __hash__ = lambda self: 0
    __array_ufunc__ = lambda *a, **k: True
    __float__ = lambda self: 0.0
    __array__ = lambda self, *a, **k: __import__('numpy').zeros(())
    __class__ = property(lambda self: float)
return Any(), Any(), Any()
""",
    ),
    Attack(
        "an array that is close to everything",
        """
class Close(np.ndarray):
    def __array_ufunc__(self, *a, **k):
        return np.array(True)
    def __array_function__(self, *a, **k):
        return True
    __array_finalize__ = lambda self, other: None
    __eq__ = lambda self, other: True
return tuple(np.zeros(()).view(Close) for _ in range(3))
""",
    ),
    Attack(
        "subclasses of plain types",
        """
class F(float):
    __eq__ = __le__ = __ge__ = lambda *a: True
    __sub__ = __rsub__ = __abs__ = lambda *a: 0.0
    __hash__ = float.__hash__
class L(list):
    __len__ = lambda self: 3
    __iter__ = lambda self: iter([1.0] * 3)
return L([F(7), F(7), F(7)])
""",
    ),
    Attack(
        "runs code when unpickled",
        """
class P:
    def __reduce__(self):
        return (__import__('os').system, ('touch {out}/pickled',))
return P(), P(), P()
""",
    ),
    Attack(
        "a lying length",
        """
class Long(list):
    __len__ = lambda self: 10**15
return Long([1.0])
""",
    ),
    Attack("a huge array", "return np.zeros(20_000_000), 0.0, 0.0", states=BIG),
    Attack("a huge text", "return 'x' * 100_000_000", states=BIG),
    Attack("a huge number", "return 10**100_000, 0.0, 0.0"),
    Attack("a huge list", "return [[]] * 5_000_000", states=BIG),
    Attack(
        "a list that doubles",
        """
value = [0.0]
for _ in range(60):
    value = [value, value]
return value
""",
    ),
    Attack(
        "nested very deep",
        """
value = []
for _ in range(100_000):
    value = [value]
return value, value, value
""",
    ),
    Attack("a list that holds itself", "value = [1.0, 2.0]\nvalue.append(value)\nreturn value"),
    Attack("a dict that holds itself", "value = {}\nvalue[1] = value\nreturn value, value, value"),
    Attack("not a number", "return float('nan'), np.nan, np.array(np.nan)"),
    Attack("infinite", "return np.inf, -np.inf, 1e400"),
    Attack(
        "object arrays",
        "return tuple(np.array([None, print, 1.0], dtype=object) for _ in range(3))",
    ),
    Attack(
        "structured arrays and times",
        "return np.zeros(2, 'i4,f8'), np.array(['2020'], 'M8[Y]'), np.array('x')",
    ),
    Attack(
        "an endless generator",
        """
def forever():
    while True:
        yield 0.0
return forever()
""",
    ),
    Attack(
        "a generator of generators",
        "return (c for c in iter(int, 1)), iter(int, 1), map(print, iter(int, 1))",
    ),
    Attack("many handles", "return [object() for _ in range(200_000)]"),
    Attack(
        "attributes that bite",
        """
class Trap:
    def __getattr__(self, name):
        raise SystemExit(name)
    __len__ = __iter__ = __array__ = __float__ = lambda self, *a: __import__('os')._exit(0)
    __name__ = property(lambda self: 'x' * 10**7)
return Trap(), Trap(), Trap()
""",
        states=("graded", "died"),
    ),
    # --- ending, signals, bombs -------------------------------------------------------------------
    Attack("leaves in a call", "import os; os._exit(0)", states=DEAD),
    Attack("leaves in a cell", "import os; os._exit(0)", CELL, DEAD),
    Attack("exits", "import sys; sys.exit(0)"),
    Attack("raises what is no Exception", "raise KeyboardInterrupt"),
    Attack("raises GeneratorExit in a cell", "raise GeneratorExit", CELL),
    Attack("segfault", "import ctypes; ctypes.string_at(0)", states=DEAD),
    Attack(
        "overflows the stack",
        """
import sys
sys.setrecursionlimit(10**9)
class A: pass
def f(n):
    return sorted([n], key=lambda m: f(m + 1))
f(0)
""",
        states=(*DEAD, "timed out", "out of memory", "graded"),
    ),
    Attack("aborts", "import os; os.abort()", states=DEAD),
    Attack(
        "signals itself",
        """
import os, signal
for number in range(1, 65):
    if number not in (6,):
        try:
            os.kill(os.getpid(), number)
        except OSError:
            pass
""",
        states=("graded", *DEAD, "timed out"),
    ),
    Attack(
        "kills its parent and everybody",
        """
import os, signal
for target in [os.getppid(), -1, 0, 2, 3, *range(2, 400)]:
    if target != os.getpid():
        for number in (9, 15, 19):
            try:
                os.kill(target, number)
            except OSError:
                pass
""",
        states=("graded", *DEAD),
    ),
    Attack(
        "fork bomb",
        """
import os
while True:
    try:
        os.fork()
    except OSError:
        break
""",
    ),
    Attack(
        "starts programs",
        """
import os, subprocess
for words in (['/bin/sh', '-c', 'echo STARTED'], ['python3', '-c', 'print(\"STARTED\")']):
    try:
        print(subprocess.run(words, capture_output=True).stdout)
    except OSError:
        pass
print(os.system('touch {out}/started'))
""",
    ),
    Attack(
        "thread bomb",
        """
import threading, time
while True:
    try:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    except RuntimeError:
        break
""",
    ),
    Attack(
        "memory bomb",
        "rows = []\nwhile True:\n    rows.append(np.ones(1_000_000))",
        states=("out of memory",),
    ),
    Attack(
        "memory bomb of Python's", "x = [0]\nwhile True:\n    x = x + x", states=("out of memory",)
    ),
    Attack(
        "memory by mapping",
        """
import mmap
maps = []
while True:
    m = mmap.mmap(-1, 1 << 24)
    m[:] = bytes(1 << 24)
    maps.append(m)
""",
        states=BIG,
    ),
    Attack(
        "disk bomb",
        """
n = 0
while n < 10_000:
    with open(f'/scratch/file{n}', 'wb') as file:
        file.write(bytes(1 << 20))
    n += 1
""",
    ),
    Attack(
        "a million small files",
        "for n in range(1_000_000):\n    open(f'/scratch/{n}', 'w').close()",
    ),
    Attack(
        "opens every file number",
        "import os\nfiles = [os.open('/dev/null', 0) for _ in range(100_000)]",
        states=("graded", "died", "needs review"),
        points=None,
    ),
    Attack(
        "endless loop with ignored signals",
        """
import signal
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
        states=LATE,
    ),
    Attack("endless loop in a cell", "while True:\n    pass", CELL, LATE),
    Attack("endless loop in every answer", "while True:\n    pass", states=LATE),
    Attack("sleeps", "import time\ntime.sleep(10_000)", states=LATE),
    Attack("hangs in C", "import re\nre.match(r'(a+)+$', 'a' * 60 + 'b')", states=LATE),
    Attack("endless lines", "while True:\n    print('all work and no play')", states=LATE),
    Attack(
        "one endless line", "import os\nwhile True:\n    os.write(1, b'x' * 65536)", states=LATE
    ),
    Attack("reads from the keyboard", "input('your password?')"),
    Attack(
        "warns without end",
        """
import warnings
for n in range(100_000):
    warnings.warn('w' * 100 + str(n))
raise ValueError
""",
        states=BIG,
    ),
    Attack(
        "an error of a hundred megabytes",
        "raise ValueError('<script>alert(1)</script>' + 'x' * 100_000_000)",
    ),
    Attack(
        "an error that cannot be told",
        """
class E(Exception):
    def __str__(self):
        raise SystemExit
    __repr__ = __str__
    __name__ = 3
E.__name__ = 'x' * 10**6
raise E
""",
    ),
    Attack(
        "an error with a lying kind",
        """
class Hint(Exception):
    pass
class E(NotImplementedError, KeyError, UnicodeDecodeError):
    def __init__(self): pass
    __str__ = lambda self: '\\x1b[2J</div><script>alert(1)</script>' + chr(0xd800)
raise E
""",
    ),
    Attack(
        "a daemon that wakes later",
        """
import threading, time, atexit
def later():
    time.sleep(0.5)
    while True:
        print('AWAKE')
threading.Thread(target=later).start()
atexit.register(later)
""",
    ),
    Attack(
        "a finalizer that never ends",
        """
class Late:
    def __del__(self):
        while True: pass
keep = [Late()]
globals()['keep'] = keep
""",
        states=LATE,
    ),
    Attack(
        "hooks of IPython",
        """
%load_ext autoreload
!touch {out}/shell
get_ipython().input_transformers_post.append(lambda lines: ['x = 1'])
""",
        CELL,
    ),
    Attack(
        "traces and profiles the judge",
        """
import sys, threading
def trace(frame, event, argument):
    frame.f_locals.update(answer=1.5)
    return trace
sys.settrace(trace); sys.setprofile(lambda *a: None)
""",
        CELL,
        ("graded", "died", "needs review"),
        None,
    ),
    Attack(
        "changes the interpreter's own modules",
        """
import sys
for name in list(sys.modules):
    if name.split('.')[0] in ('msgpack', 'json', 'socket', 'struct', 'warnings', 'linecache'):
        sys.modules[name] = None
sys.stdout = sys.stderr = None
sys.modules.pop('dlcourse.grading.wire', None)
""",
        CELL,
        ("graded", "died", "needs review"),
        None,
    ),
    # --- the wire ---------------------------------------------------------------------------------
    Attack(
        "forged answers on every file number",
        """
import os, struct
import dlcourse.grading.wire as wire
frames = [wire.pack([n, 'value', 1.5, [], []]) for n in range(NUMBER, 60)]
for number in range(0, 64):
    for frame in frames:
        try:
            os.write(number, frame)
        except OSError:
            break
""".replace("NUMBER", NEXT),
        states=("needs review", "graded"),
        points=None,
    ),
    Attack(
        "random bytes on every file number",
        """
import os
for number in range(3, 64):
    try:
        os.write(number, os.urandom(100_000))
    except OSError:
        pass
""",
        states=("needs review", "timed out"),
    ),
    Attack(
        "a frame of four gigabytes",
        "import os\nos.write(3, b'\\xff' * 8 + b'x' * 100_000)\nwhile True: pass",
        states=("needs review",),
    ),
    Attack(
        "a frame that never ends",
        "import os\nos.write(3, b'\\x00\\x00\\x10\\x00\\x00\\x00\\x00\\x00xx')\nwhile True: pass",
        states=LATE,
    ),
    Attack(
        "an array that lies about its shape",
        """
import dlcourse.grading.wire as wire, msgpack, os
head = msgpack.packb([0, NUMBER, 'value', [3, 'f8', [10**6, 10**6]], [0], [0]])
os.write(3, wire._FRAME.pack(len(head), 8) + head + bytes(8))
""".replace("NUMBER", NEXT),
        states=("needs review",),
    ),
    Attack(
        "an array of objects",
        """
import dlcourse.grading.wire as wire, msgpack, os
head = msgpack.packb([0, NUMBER, 'value', [3, 'O8', [1]], [0], [0]])
os.write(3, wire._FRAME.pack(len(head), 8) + head + bytes(8))
""".replace("NUMBER", NEXT),
        states=("needs review",),
    ),
    Attack(
        "a million empty lists",
        """
import dlcourse.grading.wire as wire, os
head = b'\\xdd' + (8_000_000).to_bytes(4, 'big') + b'\\x90' * 8_000_000
os.write(3, wire._FRAME.pack(len(head), 0) + head)
""",
        states=("needs review",),
    ),
    Attack(
        "claims to have changed other arguments",
        """
import dlcourse.grading.wire as wire, os
os.write(3, wire.pack([NUMBER, 'value', (0.0, 0.0, 0.0), [[99, 1.0], ['x', 2]], []]))
""".replace("NUMBER", NEXT),
        states=("needs review",),
    ),
    Attack(
        "passes a file to the judge",
        """
import socket, os
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=os.dup(3))
socket.send_fds(s, [b'x'], [0] * 50)
""",
    ),
    Attack("closes every file", "import os\nos.closerange(0, 64)", states=DEAD),
]
