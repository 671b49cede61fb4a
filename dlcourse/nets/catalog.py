"""The famous networks, from 1989 on: what each holds and costs, computed, beside what is quoted.

An entry builds its network, and counts parameters and multiply-accumulates when they are asked for,
without numbers in memory. Nothing computed is written down here; what papers and libraries quote
stands in fields of its own.
"""

import difflib
import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .tables import html_table, text_table


@dataclass(frozen=True, eq=False)
class Entry:
    """One network of the catalog.

    Attributes:
        name: as in torchvision, where it has the network.
        year: in which it was first shown.
        network: file in `dlcourse.nets` and class, as "resnet.ResNet".
        options: arguments of the class that make it this network.
        key: of the paper in the bibliography; `paper` has it in words.
        input_shape: (C, H, W) that the counts are for.
        quoted_parameters: as paper or library give them, None where none does; a whole number if
            it is exact, a float if it is rounded.
        quoted_macs: the same for multiply-accumulates.
        quoted_error: error in percent.
        error_of: what that error was measured on.
        source: of the quoted numbers.
        note: why what is computed differs from what is quoted.
        lectures: the lectures that name the network, as in `dlcourse.data.tables`.
    """

    name: str
    year: int
    network: str
    options: Mapping
    key: str
    input_shape: tuple = (3, 224, 224)
    quoted_parameters: float | None = None
    quoted_macs: float | None = None
    quoted_error: float | None = None
    error_of: str = ""
    source: str = ""
    note: str = ""
    lectures: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    @property
    def paper(self):
        """Authors, year of publication and title."""
        return PAPERS[self.key]

    def build(self, **changes):
        """The network, with fresh weights.

        Args:
            **changes: arguments of its class, such as ``num_classes=10``.

        Returns:
            a `torch.nn.Module`.
        """
        file, name = self.network.split(".")
        network = getattr(importlib.import_module(f".{file}", __package__), name)
        return network(**{**self.options, **changes})

    @property
    def parameters(self):
        """Numbers in the parameters, counted."""
        return self._counts.parameters

    @property
    def macs(self):
        """Multiply-accumulates for one input in evaluation, counted."""
        return self._counts.macs

    @functools.cached_property
    def _counts(self):
        import torch

        from .summary import summary

        with torch.device("meta"):
            net = self.build()
        return summary(net, self.input_shape, depth=0)


class Catalog:
    """Entries by name; they come in order of the year.

    ``catalog["resnet50"]`` is an entry, ``for entry in catalog`` visits all; as text or in a
    notebook it is a table, whose counts take some seconds the first time.
    """

    def __init__(self, entries):
        self._entries = {entry.name: entry for entry in sorted(entries, key=lambda e: e.year)}

    @property
    def names(self):
        """Names of all networks."""
        return list(self._entries)

    def __getitem__(self, name):
        if name not in self._entries:
            near = difflib.get_close_matches(
                str(name).lower().replace("-", "_"), self.names, 4, 0.5
            )
            advice = f"did you mean {', '.join(near)}?" if near else f"there are {self.names}"
            raise KeyError(f"catalog: no network {name!r}; {advice}")
        return self._entries[name]

    def __contains__(self, name):
        return name in self._entries

    def __iter__(self):
        return iter(self._entries.values())

    def __len__(self):
        return len(self._entries)

    def __repr__(self):
        years = [entry.year for entry in self]
        return f"Catalog({len(self)} networks from {min(years)} to {max(years)})"

    def __str__(self):
        return text_table(CAPTION, HEADER, list(map(_cells, self)), left=(0, 8, 9))

    def _repr_html_(self):
        return html_table(CAPTION, HEADER, list(map(_cells, self)))


CAPTION = "Parameters and multiply-accumulates (MACs), counted, beside what is quoted"
HEADER = (
    "network", "year", "input", "parameters", "MACs", "parameters quoted", "MACs quoted",
    "error quoted", "of", "source",
)  # fmt: skip


def _cells(entry):
    return (
        entry.name,
        str(entry.year),
        " x ".join(map(str, entry.input_shape)),
        f"{entry.parameters:,}",
        f"{entry.macs:,}",
        _quoted(entry.quoted_parameters),
        _quoted(entry.quoted_macs),
        "" if entry.quoted_error is None else f"{entry.quoted_error:g} %",
        entry.error_of,
        entry.source,
    )


def _quoted(number):
    """As it was quoted: whole numbers in full, rounded ones with their unit."""
    if number is None:
        return ""
    for unit, size in (("G", 1e9), ("M", 1e6)):
        if isinstance(number, float) and number >= size:
            return f"{number / size:g} {unit}"
    return f"{number:,.0f}"


@functools.cache
def catalog():
    """All networks.

    Returns:
        `Catalog`.
    """
    return Catalog(ENTRIES)


PAPERS = {
    "lecun1989backpropagation": "LeCun et al. (1989), Backpropagation applied to handwritten zip "
    "code recognition",
    "lecun1998gradient": "LeCun, Bottou, Bengio, Haffner (1998), Gradient-based learning applied "
    "to document recognition",
    "jia2014caffe": "Jia et al. (2014), Caffe: Convolutional architecture for fast feature "
    "embedding",
    "krizhevsky2012imagenet": "Krizhevsky, Sutskever, Hinton (2012), ImageNet classification with "
    "deep convolutional neural networks",
    "krizhevsky2014one": "Krizhevsky (2014), One weird trick for parallelizing convolutional "
    "neural networks",
    "zeiler2014visualizing": "Zeiler, Fergus (2014), Visualizing and understanding convolutional "
    "networks",
    "lin2014network": "Lin, Chen, Yan (2014), Network in network",
    "simonyan2015very": "Simonyan, Zisserman (2015), Very deep convolutional networks for "
    "large-scale image recognition",
    "szegedy2015going": "Szegedy et al. (2015), Going deeper with convolutions",
    "ioffe2015batch": "Ioffe, Szegedy (2015), Batch normalization: Accelerating deep network "
    "training by reducing internal covariate shift",
    "he2016deep": "He, Zhang, Ren, Sun (2016), Deep residual learning for image recognition",
    "he2016identity": "He, Zhang, Ren, Sun (2016), Identity mappings in deep residual networks",
    "zagoruyko2016wide": "Zagoruyko, Komodakis (2016), Wide residual networks",
    "iandola2016squeezenet": "Iandola et al. (2016), SqueezeNet: AlexNet-level accuracy with 50x "
    "fewer parameters and <0.5MB model size",
    "xie2017aggregated": "Xie, Girshick, Dollár, Tu, He (2017), Aggregated residual "
    "transformations for deep neural networks",
    "huang2017densely": "Huang, Liu, van der Maaten, Weinberger (2017), Densely connected "
    "convolutional networks",
    "howard2017mobilenets": "Howard et al. (2017), MobileNets: Efficient convolutional neural "
    "networks for mobile vision applications",
    "sabour2017dynamic": "Sabour, Frosst, Hinton (2017), Dynamic routing between capsules",
    "hu2018squeeze": "Hu, Shen, Sun (2018), Squeeze-and-excitation networks",
    "zoph2018learning": "Zoph, Vasudevan, Shlens, Le (2018), Learning transferable architectures "
    "for scalable image recognition",
    "sandler2018mobilenetv2": "Sandler et al. (2018), MobileNetV2: Inverted residuals and linear "
    "bottlenecks",
    "dosovitskiy2021image": "Dosovitskiy et al. (2021), An image is worth 16x16 words: "
    "Transformers for image recognition at scale",
}

SINGLE = "top-5 on ImageNet, one network"
ENSEMBLE = "top-5 on ImageNet, several networks"

ENTRIES = (
    Entry(
        "lenet1989", 1989, "lenet.LeNet1989", {}, "lecun1989backpropagation", (1, 16, 16),
        quoted_parameters=9_760, quoted_macs=64_660, source="paper",
        note="The paper counts connections, biases among them.",
    ),
    Entry(
        "lenet5_1998", 1998, "lenet.LeNet5Original", {}, "lecun1998gradient", (1, 32, 32),
        quoted_parameters=60_000, quoted_macs=340_908,
        quoted_error=0.95, error_of="MNIST", source="paper",
        note="The paper counts connections: biases and the inputs of the subsampling and output "
        "units are among them.",
        lectures=("EEE511", "Zell", "Ki", "Yang"),
    ),
    Entry(
        "lenet5", 1998, "lenet.LeNet5", {}, "lecun1998gradient", (1, 32, 32),
        quoted_parameters=61_706, quoted_macs=416_520, source="usual count",
        lectures=("EEE511", "Zell", "Ki", "Yang"),
    ),
    Entry(
        "caffe_lenet", 2014, "lenet.CaffeLeNet", {}, "jia2014caffe", (1, 28, 28),
        quoted_parameters=431_080, quoted_macs=2.29e6, source="Caffe",
        note="Often quoted as LeNet-5.",
        lectures=("Ki",),
    ),
    Entry(
        "alexnet_two_towers", 2012, "alexnet.AlexNetTwoTowers", {}, "krizhevsky2012imagenet",
        (3, 227, 227),
        quoted_parameters=60_965_224, quoted_macs=724e6,
        quoted_error=16.4, error_of=ENSEMBLE, source="paper",
        note="The paper says 60 million parameters; 15.3 % with two more networks, trained on all "
        "of ImageNet first.",
        lectures=("EEE511", "Deep Learning 101", "Ki", "Yang"),
    ),
    Entry(
        "alexnet", 2014, "alexnet.AlexNet", {}, "krizhevsky2014one",
        quoted_parameters=61_100_840, quoted_macs=714e6, source="torchvision",
        lectures=("EEE511", "Deep Learning 101", "Ki", "Yang"),
    ),
    Entry(
        "zfnet", 2013, "alexnet.ZFNet", {}, "zeiler2014visualizing",
        quoted_error=11.2, error_of=ENSEMBLE, source="ILSVRC 2013",
        note="The error is that of the winning entry, which was developed from this network; the "
        "paper reports 14.8 % for six of them.",
        lectures=("Deep Learning 101",),
    ),
    Entry("nin", 2013, "nin.NetworkInNetwork", {}, "lin2014network"),
    *(
        Entry(
            f"vgg{depth}{'_bn' if norm else ''}", 2015 if norm else 2014, "vgg.VGG",
            {"depth": depth, "batch_norm": norm}, "simonyan2015very",
            note="The paper's networks have no batch norm." if norm else "",
            lectures=("EEE511", "Deep Learning 101", "Ki", "Yang"),
            **quoted,
        )
        for depth, norm, quoted in (
            (11, False, {}),
            (11, True, {}),
            (13, False, {}),
            (13, True, {}),
            (16, False, {
                "quoted_parameters": 138_357_544, "quoted_macs": 15.5e9, "quoted_error": 7.3,
                "error_of": ENSEMBLE, "source": "torchvision, ILSVRC 2014",
            }),
            (16, True, {}),
            (19, False, {"quoted_parameters": 143_667_240, "source": "torchvision"}),
            (19, True, {}),
        )
    ),
    Entry(
        "googlenet", 2014, "inception.GoogLeNet", {}, "szegedy2015going",
        quoted_parameters=13_004_888, quoted_macs=1.5e9,
        quoted_error=6.7, error_of=ENSEMBLE, source="torchvision, paper",
        note="With both auxiliary heads; without them 6,624,904.",
        lectures=("EEE511", "Deep Learning 101", "Zell", "Ki"),
    ),
    Entry("bn_inception", 2015, "inception.BNInception", {}, "ioffe2015batch"),
    *(
        Entry(
            f"resnet{depth}", 2015, "resnet.ResNet", {"depth": depth}, "he2016deep",
            quoted_parameters=parameters,
            source="torchvision" + (", paper" if quoted else ""),
            lectures=("EEE511", "Deep Learning 101", "Ki", "Yang"),
            **quoted,
        )
        for depth, parameters, quoted in (
            (18, 11_689_512, {}),
            (34, 21_797_672, {}),
            (50, 25_557_032, {
                "quoted_macs": 4.1e9, "quoted_error": 5.25, "error_of": SINGLE,
                "note": "The paper's 3.8 G have the stride in the first 1x1 of a block.",
            }),
            (101, 44_549_160, {"quoted_error": 4.60, "error_of": SINGLE}),
            (152, 60_192_808, {
                "quoted_macs": 11.5e9, "quoted_error": 3.57, "error_of": ENSEMBLE,
            }),
        )
    ),
    Entry(
        "preact_resnet50", 2016, "resnet.ResNet", {"depth": 50, "pre_activation": True},
        "he2016identity",
    ),
    Entry(
        "wide_resnet50_2", 2016, "resnet.ResNet", {"depth": 50, "group_width": 128},
        "zagoruyko2016wide", quoted_parameters=68_883_240, source="torchvision",
    ),
    Entry(
        "resnext50_32x4d", 2016, "resnet.ResNet", {"depth": 50, "groups": 32, "group_width": 4},
        "xie2017aggregated", quoted_parameters=25_028_904, source="torchvision",
    ),
    *(
        Entry(
            f"densenet{depth}", 2016, "densenet.DenseNet", {"depth": depth}, "huang2017densely",
            quoted_parameters=parameters, quoted_macs=macs, source="torchvision",
            lectures=("EEE511",),
        )
        for depth, parameters, macs in (
            (121, 7_978_856, 2.83e9),
            (169, 14_149_480, None),
            (201, 20_013_928, None),
        )
    ),
    Entry(
        "squeezenet1_0", 2016, "mobile.SqueezeNet", {"version": "1_0"}, "iandola2016squeezenet",
        quoted_parameters=1_248_424, source="torchvision",
    ),
    Entry(
        "squeezenet1_1", 2016, "mobile.SqueezeNet", {"version": "1_1"}, "iandola2016squeezenet",
    ),
    Entry(
        "mobilenet_v1", 2017, "mobile.MobileNetV1", {}, "howard2017mobilenets",
        quoted_parameters=4.2e6, source="paper",
    ),
    Entry(
        "mobilenet_v2", 2018, "mobile.MobileNetV2", {}, "sandler2018mobilenetv2",
        quoted_parameters=3_504_872, quoted_macs=300e6, source="torchvision, paper",
    ),
    Entry(
        "se_resnet50", 2017, "senet.SEResNet", {"depth": 50}, "hu2018squeeze",
        quoted_parameters=28.1e6, quoted_macs=3.87e9,
        quoted_error=2.25, error_of=ENSEMBLE, source="paper, ILSVRC 2017",
        note="The error is that of the winning entry, whose networks were larger.",
        lectures=("Deep Learning 101",),
    ),
    Entry(
        "nasnet_a_mobile", 2017, "nasnet.NASNetA", {}, "zoph2018learning",
        quoted_parameters=5.3e6, quoted_macs=564e6, source="paper",
        lectures=("Deep Learning 101",),
    ),
    Entry(
        "capsnet", 2017, "capsule.CapsNet", {}, "sabour2017dynamic", (1, 28, 28),
        quoted_parameters=8.2e6, source="paper",
        note="The decoder's parameters count; its work, which only training needs, does not.",
        lectures=("Deep Learning 101",),
    ),
    Entry(
        "vit_b_16", 2020, "vit.ViT", {}, "dosovitskiy2021image",
        quoted_parameters=86_567_656, quoted_macs=17.6e9, source="torchvision",
    ),
)  # fmt: skip
