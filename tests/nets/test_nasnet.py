"""NASNet-A's cells against the figure of the paper, block by block with plain functions."""

import pytest
import torch
import torch.nn.functional as F
from reference import fill, pictures

from dlcourse.nets.nasnet import Cell, HalvedPointwise, NASNetA


def norm(x, m):
    return F.batch_norm(x, m.running_mean, m.running_var, m.weight, m.bias, eps=0.001)


def separable(x, module, kernel, stride=1):
    """A separable convolution, which in NASNet always means two in a row."""
    _, depth1, point1, norm1, _, depth2, point2, norm2 = module
    assert depth1.kernel_size == depth2.kernel_size == (kernel, kernel)
    for depth, point, m, s in ((depth1, point1, norm1, stride), (depth2, point2, norm2, 1)):
        channels = depth.weight.shape[0]
        x = F.conv2d(F.relu(x), depth.weight, None, s, kernel // 2, groups=channels)
        x = norm(F.conv2d(x, point.weight), m)
    return x


def average(x, stride=1):
    """Mean over a 3x3 window, of the pixels that are there."""
    ones = torch.ones_like(x)
    window = lambda t: F.avg_pool2d(t, 3, stride, 1, count_include_pad=True)
    return window(x) / window(ones)


def maximum(x):
    return F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), 3, 2)


def normal_by_hand(cell, h, p):
    left, right = cell.left, cell.right
    return torch.cat(
        [
            p,
            separable(h, left[0], 5) + separable(p, right[0], 3),
            separable(p, left[1], 5) + separable(p, right[1], 3),
            average(h) + p,
            average(p) + average(p),
            separable(h, left[4], 3) + h,
        ],
        1,
    )


def reduction_by_hand(cell, h, p):
    left, right = cell.left, cell.right
    a = separable(h, left[0], 5, 2) + separable(p, right[0], 7, 2)
    b = maximum(h) + separable(p, right[1], 7, 2)
    c = average(h, 2) + separable(p, right[2], 5, 2)
    d = b + average(a)
    e = separable(a, left[4], 3) + maximum(h)
    return torch.cat([b, c, d, e], 1)


@pytest.mark.parametrize(
    ("reduction", "by_hand", "size"),
    [(False, normal_by_hand, 9), (True, reduction_by_hand, 9), (True, reduction_by_hand, 12)],
)
def test_cell_is_wired_as_in_the_figure(reduction, by_hand, size):
    cell = fill(Cell(current=6, previous=10, width=4, reduction=reduction)).eval()
    current, previous = pictures(size, 6, 2), pictures(size, 10, 2, seed=1)
    with torch.no_grad():
        fitted = cell.fit_current(current), cell.fit_previous(previous)
        expected = by_hand(cell, *fitted)
        found = cell(current, previous)
    assert found.shape[1] == cell.channels == (16 if reduction else 24)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("size", [8, 9])
def test_halving_reads_even_and_odd_pixels(size):
    module = fill(HalvedPointwise(3, 5)).eval()
    x = pictures(size, 3, 2)
    positive = F.pad(F.relu(x), (0, 1, 0, 1))  # zeros beyond the border
    half = (size + 1) // 2
    even, odd = positive[:, :, 0::2, 0::2], positive[:, :, 1::2, 1::2]
    both = [
        torch.einsum("bchw,dc->bdhw", pixels[:, :, :half, :half], conv.weight[:, :, 0, 0])
        for pixels, conv in ((even, module.even), (odd, module.odd))
    ]
    torch.testing.assert_close(module(x), norm(torch.cat(both, 1), module.norm))


def test_cells_read_the_two_before_them():
    """Cells in a row, with the widths of the mobile network: stems, stages, reductions."""
    with torch.device("meta"):
        net = NASNetA()
    reductions = [len(cell.outputs) == 4 for cell in net.cells]
    assert reductions == [True, True] + 4 * [False] + [True] + 4 * [False] + [True] + 4 * [False]
    assert [cell.channels for cell in net.cells] == (
        [4 * 11, 4 * 22] + 4 * [6 * 44] + [4 * 88] + 4 * [6 * 88] + [4 * 176] + 4 * [6 * 176]
    )
    seen = []
    for cell in net.cells:
        cell.register_forward_pre_hook(lambda cell, inputs: seen.append(inputs))
    outputs = []
    for cell in net.cells:
        cell.register_forward_hook(lambda cell, inputs, output: outputs.append(output))
    net.eval()(torch.empty(1, 3, 224, 224, device="meta"))
    assert seen[0][0] is seen[0][1]
    assert seen[1][0] is outputs[0]
    assert seen[1][1] is seen[0][0]
    for i in range(2, len(outputs)):
        assert seen[i][0] is outputs[i - 1]
        assert seen[i][1] is outputs[i - 2]
