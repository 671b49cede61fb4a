"""The catalog: every network builds, and what is counted equals what is quoted."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dlcourse import nets
from dlcourse.nets import catalog
from dlcourse.nets.catalog import PAPERS, Catalog, Entry

ROOT = Path(__file__).parents[2]

NAMES = """
    lenet1989 lenet5_1998 lenet5 caffe_lenet alexnet_two_towers alexnet zfnet nin
    vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg13_bn vgg16_bn vgg19_bn googlenet bn_inception
    resnet18 resnet34 resnet50 resnet101 resnet152 preact_resnet50 resnext50_32x4d wide_resnet50_2
    densenet121 densenet169 densenet201 se_resnet50 squeezenet1_0 squeezenet1_1 mobilenet_v1
    mobilenet_v2 nasnet_a_mobile capsnet vit_b_16
""".split()  # noqa: SIM905

# Papers that count connections, biases among them, not multiplications: (connections, MACs).
CONNECTIONS = {"lenet1989": (64_660, 63_660), "lenet5_1998": (340_908, 325_680)}


def test_names():
    assert sorted(catalog().names) == sorted(NAMES)
    assert len(catalog()) == len(NAMES)
    assert catalog()["resnet50"].name == "resnet50"
    assert "vgg16" in catalog()
    assert "vgg17" not in catalog()


def test_years_rise():
    years = [entry.year for entry in catalog()]
    assert years == sorted(years)
    assert (years[0], years[-1]) == (1989, 2020)


@pytest.mark.parametrize("name", NAMES)
def test_counts_equal_what_is_quoted(name):
    entry = catalog()[name]
    for quoted, counted in (
        (entry.quoted_parameters, entry.parameters),
        (entry.quoted_macs, entry.macs),
    ):
        assert counted > 0
        if name in CONNECTIONS and quoted == CONNECTIONS[name][0]:
            assert counted == CONNECTIONS[name][1]
            assert "connections" in entry.note
        elif isinstance(quoted, int):
            assert counted == quoted
        elif quoted is not None:
            assert counted == pytest.approx(quoted, rel=0.01)


def test_counts_are_made_once_and_without_memory(monkeypatch):
    entry = dataclasses.replace(catalog()["vgg16"])
    built = []
    monkeypatch.setattr(Entry, "build", lambda self: built.append(self) or torch.nn.Linear(4, 2))
    entry = dataclasses.replace(entry, input_shape=(4,))
    assert (entry.parameters, entry.macs, entry.parameters) == (10, 8, 10)
    assert len(built) == 1


def test_what_is_quoted_has_a_source():
    for entry in catalog():
        quoted = (entry.quoted_parameters, entry.quoted_macs, entry.quoted_error)
        assert bool(entry.source) == any(quoted)
        assert (entry.quoted_error is None) == (not entry.error_of)


def test_every_paper_is_in_the_bibliography():
    text = (ROOT / "book/references.bib").read_text()
    years = {
        match[1]: match[2]
        for match in re.finditer(r"@\w+\{(\w+),.*?year = \{(\d+)\}.*?\n\}", text, re.DOTALL)
    }
    assert {entry.key for entry in catalog()} == set(PAPERS)
    for key, citation in PAPERS.items():
        assert f"({years[key]})" in citation


def test_build_takes_what_the_class_takes():
    net = catalog()["resnet18"].build(num_classes=7, in_channels=1, width=8)
    assert net.eval()(torch.rand(1, 1, 32, 32)).shape == (1, 7)
    assert catalog()["resnext50_32x4d"].build(width=16).layer1[0].conv2.groups == 32


def test_entries_are_frozen():
    entry = catalog()["resnet50"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        entry.year = 1900
    with pytest.raises(TypeError):
        entry.options["depth"] = 18


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet-50", "did you mean resnet50"),
        ("ViT", "vit_b_16"),
        ("VGG16BN", "vgg16_bn"),
        ("perceptron of Rosenblatt", "there are ['lenet1989'"),
    ],
)
def test_unknown_names_are_told_what_is_near(name, words):
    with pytest.raises(KeyError) as error:
        catalog()[name]
    assert f"catalog: no network {name!r}" in error.value.args[0]
    assert words in error.value.args[0]


def test_table():
    few = Catalog([catalog()[name] for name in ("vgg16", "lenet5", "mobilenet_v1")])
    lines = str(few).splitlines()
    assert [line.split()[0] for line in lines[4:]] == ["lenet5", "vgg16", "mobilenet_v1"]
    assert lines[5].split()[:9] == [
        "vgg16", "2014", "3", "x", "224", "x", "224", "138,357,544", "15,470,264,320",
    ]  # fmt: skip
    assert "15.5 G  7.3 %" in re.sub(r" {2,}", "  ", lines[5])
    text = few._repr_html_()
    assert text.count('<th scope="row">') == 3
    assert "<td>138,357,544</td><td>15,470,264,320</td>" in text
    assert repr(few) == "Catalog(3 networks from 1998 to 2017)"


# The package ----------------------------------------------------------------------------------


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return done.stdout.split()


def test_a_network_is_imported_when_it_is_asked_for():
    listed = "print(*(m.split('.')[-1] for m in sys.modules if m.startswith('dlcourse.nets.')))"
    code = f"import sys; from dlcourse.nets import ResNet, catalog, summary; {listed}"
    assert sorted(run(code)) == ["catalog", "counting", "resnet", "summary", "tables"]
    assert run("import sys, dlcourse; print('torch' in sys.modules)") == ["False"]


def test_functions_are_not_hidden_by_the_files_of_the_same_name():
    code = "import dlcourse.nets.summary, dlcourse.nets.catalog; from dlcourse import nets; "
    assert run(code + "print(callable(nets.summary), callable(nets.catalog))") == ["True", "True"]


def test_every_public_name_is_there():
    for name in nets.__all__:
        assert callable(getattr(nets, name))
        assert name in dir(nets)
    with pytest.raises(AttributeError, match="ResNeXt"):
        nets.ResNeXt


TOOLS = {
    "__init__", "catalog", "compression", "counting", "features", "summary", "tables", "transfer",
}  # fmt: skip
FILES = sorted((ROOT / "dlcourse/nets").glob("*.py"))


@pytest.mark.parametrize("path", [f for f in FILES if f.stem not in TOOLS], ids=lambda f: f.stem)
def test_each_network_can_be_lifted_out_alone(path):
    """It imports PyTorch and the standard library only."""
    imports = re.findall(r"^\s*(?:from|import) (\.*\w*)", path.read_text(), re.MULTILINE)
    assert imports
    assert {name for name in imports if name not in sys.stdlib_module_names} == {"torch"}
