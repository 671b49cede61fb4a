"""Layers and initial weights: against PyTorch, and against the papers where PyTorch has none."""

import inspect

import numpy as np
import pytest
import torch
from engine_tables import LAYERS, compare_layers

from dlcourse.autograd import Tensor, init, losses, nn, no_grad


def mlp(rng=0):
    rng = np.random.default_rng(rng)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(12, 5, rng=rng), nn.Tanh(), nn.Linear(5, 3, bias=False, rng=rng)
    )


def torch_mlp():
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(12, 5), torch.nn.Tanh(),
        torch.nn.Linear(5, 3, bias=False),
    )  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layer_equals_torch(name):
    for seed in (0, 1):
        compare_layers(name, seed=seed)


@pytest.mark.parametrize("name", LAYERS)
def test_layer_in_single_precision(name):
    compare_layers(name, np.float32)


def test_table_holds_every_layer():
    layers = {
        name
        for name, value in vars(nn).items()
        if inspect.isclass(value) and issubclass(value, nn.Module) and not name.startswith("_")
    }
    tested = {name.replace(",", " ").split()[0] for name in LAYERS}
    assert layers - {"Module", "BatchRenorm", "Embedding", "Dropout"} == tested - {"Dropout"}


def test_embedding_equals_torch():
    ours, theirs = nn.Embedding(5, 3), torch.nn.Embedding(5, 3)
    ours.load_state_dict(theirs.state_dict())
    indices = np.array([[0, 4, 4], [2, 4, 0]])
    upstream = np.random.default_rng(0).standard_normal((2, 3, 3)).astype(np.float32)
    ours(indices).backward(upstream)
    theirs(torch.tensor(indices)).backward(torch.tensor(upstream))
    np.testing.assert_allclose(ours.weight.grad, theirs.weight.grad.numpy(), rtol=1e-6)


def test_attention_mask_equals_torch():
    ours, theirs = nn.MultiheadAttention(8, 2).double(), torch.nn.MultiheadAttention(8, 2).double()
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(0).standard_normal((4, 3, 8))
    mask = np.triu(np.ones((4, 4), bool), 1)
    answers, weights = ours(Tensor(x), Tensor(x), Tensor(x), attn_mask=mask)
    t = torch.tensor(x)
    expected, expected_weights = theirs(t, t, t, attn_mask=torch.tensor(mask))
    np.testing.assert_allclose(answers, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(weights, expected_weights.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_batch_norm_over_steps_and_then_in_evaluation_equals_torch():
    ours, theirs = nn.BatchNorm2d(3).double(), torch.nn.BatchNorm2d(3).double()
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = 2 * rng.standard_normal((4, 3, 2, 5)) + 1
        ours(Tensor(x))
        theirs(torch.tensor(x))
    expected = theirs.eval()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours.eval()(Tensor(x)), expected, rtol=1e-12)


@pytest.mark.parametrize("limits", [{}, {"r_max": 1.1, "d_max": 0.2}, {"r_max": 1, "d_max": 0}])
@pytest.mark.parametrize("scale", [3, 0.05])
def test_batch_renorm_is_its_papers_formula(limits, scale):
    """Value by the paper's algorithm 1; gradient by PyTorch, with r and d held fixed."""
    rng = np.random.default_rng(0)
    layer = nn.BatchRenorm(3, momentum=0.01, **limits).double()
    r_max, d_max = limits.get("r_max", 3.0), limits.get("d_max", 5.0)
    layer.running_mean, layer.running_var = rng.standard_normal(3), rng.random(3) + 0.2
    layer.weight.data, layer.bias.data = rng.standard_normal((2, 3))
    old_mean, old_std = layer.running_mean.copy(), np.sqrt(layer.running_var + 1e-5)
    x = scale * rng.standard_normal((6, 3)) + 2

    leaf = torch.tensor(x, requires_grad=True)
    mean = leaf.mean(0)
    std = (leaf.var(0, correction=0) + 1e-5).sqrt()
    r = (std.detach() / torch.tensor(old_std)).clamp(1 / r_max, r_max)
    d = ((mean.detach() - torch.tensor(old_mean)) / torch.tensor(old_std)).clamp(-d_max, d_max)
    expected = (leaf - mean) / std * r + d
    expected = expected * torch.tensor(layer.weight.data) + torch.tensor(layer.bias.data)

    ours = Tensor(x, requires_grad=True)
    output = layer(ours)
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=1e-10)
    upstream = rng.standard_normal(x.shape)
    output.backward(upstream)
    expected.backward(torch.tensor(upstream))
    np.testing.assert_allclose(ours.grad, leaf.grad.numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(layer.running_mean, 0.99 * old_mean + 0.01 * x.mean(0), rtol=1e-12)


def test_batch_renorm_agrees_in_training_and_evaluation():
    """Within the clipping, the corrected batch statistics are the running ones."""
    x = Tensor(np.random.default_rng(0).standard_normal((50, 3)))
    layer = nn.BatchRenorm(3).double()
    before = layer.state_dict()
    trained = layer(x).numpy()
    layer.load_state_dict(before)
    np.testing.assert_allclose(layer.eval()(x), trained, rtol=1e-10, atol=1e-12)


def test_dropout_layer_draws_anew_and_rests_in_evaluation():
    layer, x = nn.Dropout(0.5, rng=0), Tensor(np.ones((4, 50)))
    first, second = layer(x).numpy(), layer(x).numpy()
    assert (first != second).any()
    np.testing.assert_array_equal(nn.Dropout(0.5, rng=0)(x), first)
    np.testing.assert_array_equal(layer.eval()(x), x.numpy())


# Modules --------------------------------------------------------------------------------------


def test_our_weights_fit_torch():
    ours, theirs = mlp(), torch_mlp()
    theirs.load_state_dict(ours.torch_state_dict())  # strict
    x = np.random.default_rng(0).standard_normal((4, 3, 4)).astype(np.float32)
    expected = theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours(Tensor(x)), expected, rtol=1e-5, atol=1e-6)


def test_state_dict_is_a_copy():
    model = mlp()
    state = model.state_dict()
    model.parameters()[0].data += 1
    assert not np.array_equal(state["1.weight"], model.parameters()[0].data)
    model.load_state_dict(state)
    model.parameters()[0].data += 1
    assert not np.array_equal(state["1.weight"], model.parameters()[0].data)


def test_wrong_state_is_refused_whole():
    model = mlp()
    before = model.state_dict()
    broken = {name: value + 1 for name, value in before.items()}
    with pytest.raises(ValueError, match=r"missing \['3.weight'\], unexpected \['4.weight'\]"):
        model.load_state_dict({k.replace("3.", "4."): v for k, v in broken.items()})
    broken["3.weight"] = np.ones((2, 2))
    with pytest.raises(ValueError, match=r"3.weight has shape \(3, 5\), got \(2, 2\)"):
        model.load_state_dict(broken)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_frozen_parameters_are_kept_but_not_learned():
    model = mlp()
    model[1].weight.requires_grad = False
    assert [name for name, _ in model.named_parameters()] == ["1.bias", "3.weight"]
    assert "1.weight" in model.state_dict()


def test_a_shared_parameter_is_learned_once():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    assert len(model.parameters()) == 3
    assert len(model.state_dict()) == 4


def test_train_and_eval_reach_every_layer():
    model = nn.Sequential(mlp(), nn.Dropout())
    assert not any(child.training for _, child in model.eval().named_modules())
    assert all(child.training for _, child in model.train().named_modules())


def test_zero_grad():
    model = mlp()
    model(Tensor(np.ones((2, 12)))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_module_without_forward():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no forward"):
        Empty()(1)


# Initial weights ------------------------------------------------------------------------------


def test_same_seed_same_weights():
    a, b, c = mlp(0), mlp(0), mlp(1)
    assert np.array_equal(a.parameters()[0].data, b.parameters()[0].data)
    assert not np.array_equal(a.parameters()[0].data, c.parameters()[0].data)
    assert not np.array_equal(a.parameters()[0].data[:3], a.parameters()[2].data[:, :3])


@pytest.mark.parametrize(
    ("draw", "variance"),
    [
        (init.he_normal, 2 / 300), (init.he_uniform, 2 / 300),
        (init.glorot_normal, 2 / 700), (init.glorot_uniform, 2 / 700),
    ],
)  # fmt: skip
def test_initial_variance(draw, variance):
    weights = draw((400, 300), rng=0)
    assert weights.dtype == np.float32
    assert abs(weights.var() / variance - 1) < 0.03
    assert abs(weights.mean()) < 3 * np.sqrt(variance / weights.size)
    assert np.array_equal(weights, draw((400, 300), rng=np.random.default_rng(0)))


def test_fans_of_a_convolution():
    assert init.fans((6, 3, 5, 5)) == (75, 150)


@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (6, 2, 3, 3)])
def test_orthogonal(shape):
    matrix = init.orthogonal(shape, 0, gain=2.0).reshape(shape[0], -1).astype(np.float64)
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


def deep(activation, draw, depth=30, width=128):
    rng = np.random.default_rng(0)
    layers = []
    for _ in range(depth):
        layer = nn.Linear(width, width, rng=rng)
        layer.weight.data = draw((width, width), rng)
        layers += [layer, activation()]
    return nn.Sequential(*layers)


def second_moments(model, x):
    """Mean square of what leaves each linear layer."""
    moments = []
    with no_grad():
        for _, layer in model.children():
            x = layer(x)
            if isinstance(layer, nn.Linear):
                moments.append(float((x.numpy() ** 2).mean()))
    return np.array(moments)


def test_he_keeps_relu_signals_alive_through_30_layers():
    x = Tensor(np.random.default_rng(1).standard_normal((500, 128)).astype(np.float32))
    kept = second_moments(deep(nn.ReLU, init.he_normal), x)
    assert 0.2 < kept[-1] / kept[0] < 5
    lost = second_moments(deep(nn.ReLU, init.glorot_normal), x)
    assert lost[-1] / lost[0] < 1e-6  # half the variance is lost in each of 29 layers


def test_glorot_keeps_tanh_signals_alive_through_30_layers():
    x = Tensor(np.random.default_rng(1).standard_normal((500, 128)).astype(np.float32))
    kept = second_moments(deep(nn.Tanh, init.glorot_uniform), x)
    assert kept[-1] > 0.01
    tiny = second_moments(deep(nn.Tanh, lambda shape, rng: init.normal(shape, 0.01, rng)), x)
    assert tiny[-1] < 1e-20


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.ELU])
def test_lsuv_makes_every_variance_one(activation):
    model = deep(activation, init.he_normal)
    x = Tensor(np.random.default_rng(1).standard_normal((500, 128)).astype(np.float32))
    variances = init.lsuv(model, x, tolerance=0.02, rng=3)
    assert len(variances) == 30
    with no_grad():
        for _, layer in model.children():
            x = layer(x)
            if isinstance(layer, nn.Linear):
                assert abs(x.numpy().var() - 1) < 0.02


def test_lsuv_is_seeded_and_treats_convolutions():
    def treated():
        model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.LayerNorm((4, 4)), nn.Flatten(),
                              nn.Linear(64, 3))  # fmt: skip
        init.lsuv(model, Tensor(np.random.default_rng(0).standard_normal((50, 2, 6, 6))), rng=5)
        return model

    assert np.array_equal(treated()[0].weight.data, treated()[0].weight.data)
    assert np.array_equal(treated()[2].weight.data, np.ones((4, 4)))


def test_lsuv_refuses_dead_and_unused_layers():
    with pytest.raises(ValueError, match="output of 0 is constant"):
        init.lsuv(nn.Sequential(nn.Linear(3, 2)), Tensor(np.zeros((5, 3))))

    class Forgetful(nn.Module):
        def __init__(self):
            self.used, self.unused = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(ValueError, match="never called"):
        init.lsuv(Forgetful(), Tensor(np.random.default_rng(0).standard_normal((5, 3))))


# Whole nets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
def test_gradients_reach_every_parameter_of_a_recurrent_net(layer):
    recurrent, head = layer(3, 4, batch_first=True), nn.Linear(4, 2, rng=1)
    outputs, _ = recurrent(Tensor(np.random.default_rng(0).standard_normal((5, 6, 3))))
    losses.cross_entropy(head(outputs[:, -1]), np.array([0, 1, 0, 1, 1])).backward()
    assert all(np.abs(p.grad).max() > 0 for p in recurrent.parameters() + head.parameters())


def test_a_small_convolutional_net_overfits_one_batch():
    from dlcourse.optim import Adam

    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((16, 1, 8, 8)).astype(np.float32), rng.integers(0, 4, 16)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, rng=rng), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 4, rng=rng),
    )  # fmt: skip
    optimizer = Adam(net.parameters(), lr=0.01)
    for _ in range(100):
        optimizer.zero_grad()
        loss = losses.cross_entropy(net(Tensor(x)), t)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
