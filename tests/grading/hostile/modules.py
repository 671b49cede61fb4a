"""What a hostile student may write in the place of a module: attacks in code, each a `LeNet`.

The other answer of the notebook, a pooling, is right and worth 1 point. What maps pictures to ten
scores, each picture on its own, has done the first step of five and earns 0.4. Nothing beyond that
may be had by lying about parameters, gradients or training.
"""

from hostile.attacks import BIG, DEAD, LATE, Attack

FAIR = 1.0  # points for the pooling
SHAPE = FAIR + 0.4  # and for scores of the right shape
LAYERS = SHAPE + 0.5  # and for parameters on which the scores do depend

_SHAPES = """
SHAPES = [(6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,),
          (10, 84), (10,)]
"""

# Scores that depend on the picture and on nothing else.
_SCORES = """
    def scores(self, x):
        return (x.flatten(1) @ torch.arange(7840.0).sin().reshape(784, 10)).requires_grad_()
    forward = scores
"""

MODULES = [
    Attack(
        "a metaclass that answers for its class",
        """
class Meta(type):
    __name__ = property(lambda cls: "LeNet: 2.5 of 2.5 points")
    __instancecheck__ = __subclasscheck__ = lambda cls, other: True
    def __call__(cls, *arguments):
        return cls
    def __getattr__(cls, name):
        return lambda *a, **k: cls
class LeNet(metaclass=Meta):
    points = 2.5
""",
        points=FAIR,
    ),
    Attack(
        "an object that is everything",
        """
class LeNet:
    __class__ = property(lambda self: nn.Module)
    __call__ = lambda self, x: self
    __getattr__ = lambda self, name: self
    __iter__ = lambda self: iter([("conv1.weight", self)] * 10)
    __array__ = lambda self, *a, **k: __import__("numpy").zeros((5, 10))
    __eq__ = lambda self, other: True
    __hash__ = None
""",
        points=FAIR,
    ),
    Attack(
        "overrides the call",
        "class LeNet(nn.Module):\n    __call__ = lambda self, x: torch.ones(len(x), 10)",
        points=FAIR,
    ),
    Attack(
        "lies about its parameters",
        f"""{_SHAPES}
class LeNet(nn.Module):
    def named_parameters(self, *a, **k):
        return ((f"layer{{n // 2}}.{{n}}", torch.randn(shape)) for n, shape in enumerate(SHAPES))
    def state_dict(self, *a, **k):
        return dict(self.named_parameters())
    def parameters(self, *a, **k):
        return (tensor for _, tensor in self.named_parameters())
{_SCORES}
""",
        points=SHAPE,
    ),
    Attack(
        "lies about its parameters, and answers by chance",
        f"""{_SHAPES}
class LeNet(nn.Module):
    def named_parameters(self, *a, **k):
        return ((f"layer{{n // 2}}.{{n}}", torch.randn(shape)) for n, shape in enumerate(SHAPES))
    def forward(self, x):
        return torch.randn(len(x), 10)
""",
        points=FAIR,
    ),
    Attack(
        "parameters without end",
        f"""
import itertools
class LeNet(nn.Module):
    def named_parameters(self, *a, **k):
        return ((f"p{{n}}", torch.zeros(1)) for n in itertools.count())
{_SCORES}
""",
        points=SHAPE,
    ),
    Attack(
        "parameters that never come",
        f"""
class LeNet(nn.Module):
    def named_parameters(self, *a, **k):
        while True:
            pass
        yield
{_SCORES}
""",
        states=LATE,
        points=SHAPE,
    ),
    Attack(
        "names that bite",
        f"""
class Name(str):
    __hash__ = str.__hash__
    __eq__ = lambda self, other: True
    rpartition = lambda self, at: 1 / 0
class LeNet(nn.Module):
    def named_parameters(self, *a, **k):
        return [(Name("x" * 100_000 + str(n)), torch.zeros(3)) for n in range(20)] + [(7, None)]
{_SCORES}
""",
        points=SHAPE,
    ),
    Attack(
        "sums up what it should use",
        f"""{_SHAPES}
class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.all = nn.ParameterList(nn.Parameter(torch.randn(shape)) for shape in SHAPES)
    def forward(self, x):
        x = (x.flatten(1) @ torch.arange(7840.0).sin().reshape(784, 10)).tanh()
        return x * sum(p.sum() for p in self.all)
""",
        points=LAYERS + 0.3,  # it has the parameters, and their gradients are true
    ),
    Attack(
        "makes up its gradients",
        """
class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.c, self.d, self.e = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
    def forward(self, x):
        x = F.max_pool2d(self.b(F.max_pool2d(self.a(x), 2)), 2).flatten(1)
        return self.e(self.d(self.c(x)))
nets = []
make = LeNet.__init__
def remember(self):
    make(self)
    nets.append(self)
LeNet.__init__ = remember
def backward(self, *a):
    for p in nets[-1].parameters():
        p.grad = torch.randn_like(p)
torch.Tensor.backward = backward
""",
        points=LAYERS,
    ),
    Attack(
        "notes down what it should learn",
        f"""{_SHAPES}
class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.all = nn.ParameterList(nn.Parameter(torch.zeros(shape)) for shape in SHAPES)
        self.notes = {{}}
    def forward(self, x):
        keys = [row.numpy().tobytes() for row in x]
        known = torch.stack([self.notes.get(k, torch.rand(10)) for k in keys])
        known = known + 0 * sum(p.sum() for p in self.all)
        if known.requires_grad:
            known.register_hook(lambda g: self.notes.update(zip(keys, -1000 * g)))
        return known
""",
        points=FAIR,
    ),
    Attack(
        "replaces the judge's functions",
        """
import sys
import dlcourse.grading.inside as inside
class Passed(float):
    points, steps, name = 2.5, (), "LeNet"
inside._Worker.answer_lend = lambda *a: ["value", lambda *a: Passed(2.5), [], []]
torch.no_grad = torch.nn.Module.train = lambda *a: Passed(2.5)
class LeNet(nn.Module):
    pass
""",
        points=FAIR,
    ),
    Attack(
        "walks the stack for weights and scores",
        """
import sys, gc
class LeNet(nn.Module):
    def scores(self, x):
        return (x.flatten(1) @ torch.arange(7840.0).sin().reshape(784, 10)).requires_grad_()
    def forward(self, x):
        frame = sys._getframe()
        while frame:
            print(frame.f_code.co_name, {k: str(v)[:80] for k, v in frame.f_locals.items()})
            frame = frame.f_back
        print([o for o in gc.get_objects() if "_lenet" in getattr(o, "__name__", "")])
        return self.scores(x)
""",
        points=SHAPE,
    ),
    Attack(
        "opens the network in forward",
        f"""
class LeNet(nn.Module):
{_SCORES}
    def forward(self, x):
        import socket
        places = [(socket.AF_INET, ("127.0.0.1", {{port}})), (socket.AF_UNIX, "{{unix}}")]
        for family, place in places:
            try:
                s = socket.socket(family)
                s.settimeout(1)
                s.connect(place)
                s.send(b"hello")
                print("CONNECTED")
            except OSError:
                pass
        return self.scores(x)
""",
        points=SHAPE,
    ),
    Attack(
        "forks in forward",
        f"""
class LeNet(nn.Module):
{_SCORES}
    def forward(self, x):
        import os
        try:
            while True:
                os.fork()
        except OSError:
            pass
        return self.scores(x)
""",
        points=SHAPE,
    ),
    Attack(
        "leaves in forward",
        "class LeNet(nn.Module):\n    def forward(self, x):\n        import os; os._exit(0)",
        states=DEAD,
        points=FAIR,
    ),
    Attack(
        "scores too large to be sent",
        "class LeNet(nn.Module):\n    def forward(self, x):\n        return torch.zeros(5, 10**7)",
        states=BIG,
        points=FAIR,
    ),
    Attack(
        "a tensor that is close to everything",
        """
class Close(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True
class LeNet(nn.Module):
    def forward(self, x):
        return torch.full((len(x), 10), torch.nan).as_subclass(Close)
""",
        points=FAIR,
    ),
]
