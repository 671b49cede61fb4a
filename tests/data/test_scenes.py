"""Scenes of shapes: boxes, classes and masks tell the same story, with and without occlusion."""

import numpy as np
import pytest

from dlcourse import data
from dlcourse.data.scenes import CLASSES

APART = data.shapes(60, seed=1)
CROWDED = data.shapes(40, objects=(2, 8), occlusion=True, seed=2)


@pytest.mark.parametrize("scenes", [APART, CROWDED], ids=["apart", "crowded"])
def test_boxes_enclose_their_masks(scenes):
    for i in range(len(scenes)):
        labels, boxes, masks = scenes.labels(i), scenes.boxes(i), scenes.masks(i)
        assert len(labels) == len(boxes) == len(masks) >= 1
        assert masks.sum(axis=0).max() <= 1  # a pixel belongs to one object
        assert masks.any(axis=0).sum() == (scenes.instances[i] > 0).sum()
        for (x1, y1, x2, y2), mask in zip(boxes.astype(int), masks, strict=True):
            assert mask[y1:y2, x1:x2].sum() == mask.sum() > 0
            # No smaller box would do.
            assert mask[y1].any()
            assert mask[y2 - 1].any()
            assert mask[:, x1].any()
            assert mask[:, x2 - 1].any()


def test_form_and_types():
    assert APART.inputs.shape == (60, 3, 64, 64)
    assert APART.inputs.dtype == np.float32
    assert 0 <= APART.inputs.min() < APART.inputs.max() <= 1
    assert APART.targets.shape == (60, 3, 5)
    assert APART.instances.dtype == np.int64
    counts = [len(APART.labels(i)) for i in range(60)]
    assert set(counts) == {1, 2, 3}
    assert all((APART.targets[i, counts[i] :] == -1).all() for i in range(60))
    with pytest.raises(ValueError, match="read-only"):
        APART.instances[0] = 0


def test_shapes_keep_apart_unless_they_may_cover_each_other():
    def touching(scenes):
        count = 0
        for i in range(len(scenes)):
            owner = scenes.instances[i]
            for a, b in ((owner[1:], owner[:-1]), (owner[:, 1:], owner[:, :-1])):
                count += ((a > 0) & (b > 0) & (a != b)).sum()
        return count

    assert touching(APART) == 0
    assert touching(CROWDED) > 0


def test_colors_differ_from_the_ground():
    for i in range(len(APART)):
        ground = APART.inputs[i][:, APART.instances[i] == 0].mean(axis=1)
        for mask in APART.masks(i):
            assert np.abs(APART.inputs[i][:, mask].mean(axis=1) - ground).max() > 0.2


@pytest.mark.parametrize("name", CLASSES)
def test_each_shape_has_its_form(name):
    scenes = data.shapes(20, size=96, objects=1, classes=[name], seed=3)
    filled, holes = [], []
    for i in range(20):
        mask = scenes.masks(i)[0]
        x1, y1, x2, y2 = scenes.boxes(i)[0].astype(int)
        filled.append(mask.sum() / ((x2 - x1) * (y2 - y1)))
        holes.append(not mask[(y1 + y2) // 2, (x1 + x2) // 2])
    expected = {  # (share of the box that is filled, from, to), and whether the middle is empty
        "circle": (0.75, 0.82, False), "square": (0.48, 1, False), "triangle": (0.4, 0.66, False),
        "ring": (0.35, 0.6, True), "cross": (0.3, 0.75, False),
    }[name]  # fmt: skip
    assert expected[0] <= min(filled) <= max(filled) <= expected[1]
    assert all(hole == expected[2] for hole in holes)


def test_segmentation():
    task = APART.segmentation()
    assert task.classes == ("background", *CLASSES)
    assert task.targets.dtype == np.int64
    for i in range(len(APART)):
        expected = np.zeros((64, 64), int)
        for label, mask in zip(APART.labels(i), APART.masks(i), strict=True):
            expected[mask] = label + 1
        np.testing.assert_array_equal(task.targets[i], expected)
    assert np.shares_memory(task.inputs, APART.inputs)


def test_presence_and_classification():
    task = APART.presence()
    assert task.targets.dtype == np.float32
    for i in range(len(APART)):
        assert set(np.flatnonzero(task.targets[i])) == set(APART.labels(i))
    single = data.shapes(10, objects=1)
    np.testing.assert_array_equal(
        single.classification().targets, [single.labels(i)[0] for i in range(10)]
    )
    with pytest.raises(ValueError, match="presence"):
        APART.classification()


def test_it_is_a_data_set_in_all_else():
    training, validation, test = APART.split()
    assert [len(training), len(validation), len(test)] == [36, 12, 12]
    assert isinstance(test, data.Scenes)
    part = APART[[5, 2]]
    np.testing.assert_array_equal(part.boxes(0), APART.boxes(5))
    np.testing.assert_array_equal(part.masks(1), APART.masks(2))
    images, targets = next(APART.batches(8))
    assert images.shape == (8, 3, 64, 64)
    assert targets.shape == (8, 3, 5)
    assert APART.to_torch().tensors[2].shape == (60, 64, 64)


def test_larger_pictures_of_other_sizes():
    scenes = data.shapes(3, size=100, objects=6, classes=("ring", "cross"))
    assert scenes.inputs.shape == (3, 3, 100, 100)
    assert all(len(scenes.boxes(i)) == 6 for i in range(3))
    assert scenes.classes == ("ring", "cross")
