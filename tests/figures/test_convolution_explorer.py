"""The convolution explorer: its maps against PyTorch, its receptive fields against gradients."""

import itertools
import sys

import numpy as np
import pytest

from dlcourse.figures import convolution_explorer

torch = pytest.importorskip("torch")
module = sys.modules["dlcourse.figures.convolution_explorer"]
picture, stack = convolution_explorer.picture, convolution_explorer.stack
KERNELS = convolution_explorer.KERNELS
SETTINGS = list(itertools.product((1, 2, 3), (0, 1, 3), (1, 2), (1, 2, 3)))


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(("stride", "padding", "dilation", "layers"), SETTINGS[::7])
def test_the_maps_are_those_of_pytorch(name, stride, padding, dilation, layers):
    kernel, job = KERNELS[name], (stride, padding, dilation)
    maps = [torch.rand(1, 1, 16, 13, dtype=torch.float64)]
    span = dilation * (len(kernel) - 1) + 1
    for _ in range(layers):
        if min(maps[-1].shape[2:]) + 2 * padding < span:
            with pytest.raises(ValueError, match="use a smaller window, more padding"):
                stack(maps[0][0, 0].tolist(), kernel, *job, layers)
            return
        weight = torch.tensor(kernel, dtype=torch.float64)[None, None]
        maps.append(torch.conv2d(maps[-1], weight, None, *job))
    for ours, theirs in zip(stack(maps[0][0, 0].tolist(), kernel, *job, layers), maps, strict=True):
        np.testing.assert_allclose(ours, theirs[0, 0].numpy(), atol=1e-9)


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2), (3, 2), (4, 3)])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_receptive_field_is_how_far_the_gradient_reaches(size, stride, dilation, layers):
    sees = convolution_explorer.receptive_field(size, stride, dilation, layers)
    pixels = torch.zeros(1, 1, sees + 5, requires_grad=True)
    line = pixels
    for _ in range(layers):
        line = torch.conv1d(line, torch.ones(1, 1, size), None, stride, 0, dilation)
    line[0, 0, 0].backward()
    reached = pixels.grad.nonzero()[:, 2]
    assert reached.max() - reached.min() + 1 == sees


def test_what_the_kernels_are_for():
    flat, step = np.full((6, 6), 0.7), np.repeat([[0.0] * 3 + [1.0] * 3], 6, axis=0)

    def answer(pixels, name):
        return stack(pixels, KERNELS[name])[1]

    for name in ("identity", "identity, 5 × 5", "blur", "blur, 5 × 5", "sharpen", "emboss"):
        np.testing.assert_allclose(answer(flat, name), 0.7)  # all keep what is even
    for name in ("vertical edges", "horizontal edges", "all edges"):
        np.testing.assert_allclose(answer(flat, name), 0, atol=1e-12)
    assert answer(step, "vertical edges").max() == 4
    assert answer(step.T, "vertical edges").max() == 0
    assert answer(step.T, "horizontal edges").max() == 4


def test_pictures_are_of_their_data():
    from sklearn.datasets import load_digits

    digits = load_digits()
    for name in module.DIGITS:
        first = digits.images[digits.target == int(name[-1])][0]
        np.testing.assert_array_equal(picture(name), first / 16)
    photograph = np.array(picture("photograph"))
    assert photograph.shape == (16, 16)
    assert (photograph.min(), photograph.max()) == (0, 1)
    assert np.ptp(picture("empty, to draw on")) == 0
    with pytest.raises(ValueError, match="no picture 'cat'; there are digit 3, digit 8"):
        picture("cat")


def test_alt_tells_size_value_and_what_it_sees():
    figure = convolution_explorer("photograph", "blur", stride=2, padding=0, layers=2, position=4)
    value = stack(picture("photograph"), KERNELS["blur"], 2, 0, 1, 2)[-1][1, 1]
    assert "3 x 3 numbers. The one in row 2, column 2" in figure.alt
    assert f"is {value:.4g}; it sees 7 x 7 entries" in figure.alt
    assert figure.fallback_svg.count("<rect") == 16 * 16 + 3 * 3


def test_arrays_and_tuples_are_taken():
    figure = convolution_explorer(np.eye(5), tuple(map(tuple, np.ones((3, 3)))))
    assert figure.pixels == np.eye(5).tolist()
    figure.kernel = [[0.5] * 5] * 5
    assert figure.state["kernel"][4][4] == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"picture": "cat"}, "no picture 'cat'"),
        ({"picture": np.zeros((3, 3))}, "4 to 16 rows of 4 to 16 numbers from 0 to 1"),
        ({"picture": np.full((5, 5), 2.0)}, "4 to 16 rows"),
        ({"picture": np.full((5, 5), np.nan)}, "4 to 16 rows"),
        ({"picture": [[0] * 5] * 4 + [[0] * 6]}, "4 to 16 rows"),
        ({"picture": np.zeros((1000, 1000))}, "4 to 16 rows"),
        ({"picture": [1, 2, 3, 4]}, "4 to 16 rows"),
        ({"picture": 3}, "picture: rows of numbers expected, 3 came"),
        ({"kernel": "none"}, "no kernel 'none'; there are identity"),
        ({"kernel": np.zeros((4, 4))}, "3 rows of 3 or 5 rows of 5"),
        ({"kernel": np.zeros((3, 5))}, "3 rows of 3 or 5 rows of 5"),
        ({"kernel": np.full((3, 3), 100)}, "numbers from -99 to 99"),
        ({"stride": 0}, "stride: 0 came; expected a whole number from 1 to 4"),
        ({"padding": 0.5}, "padding: 0.5 came"),
        ({"dilation": "2"}, "dilation: '2' came"),
        ({"layers": 5}, "layers: 5 came"),
        ({"position": -1}, "position: -1 came"),
        ({"dilation": 3, "kernel": "blur, 5 × 5", "padding": 0}, "13 x 13 entries"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        convolution_explorer(**arguments)
