"""The training loop: an oracle written out in full, reproducibility, and what it must not look at."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn
from torch.nn import functional as F

from scatterheal.compute.devices import choose_device
from scatterheal.dip import network
from scatterheal.dip.engines import ENGINES
from scatterheal.dip.scene import Scene
from scatterheal.errors import ScanError
from scatterheal.polar.canvas import cartesian, polar, sampling, view
from scatterheal.settings.models import Fit

CPU = torch.device("cpu")


def hyperparameters(**changed):
    return Fit(**{"iterations": 20, **changed})


def scene_of(image, valid):
    """An image in 0..1 on a canvas of its own size."""
    canvas = cartesian(valid.shape, None)
    seen = view(canvas, valid.shape)
    seen = seen._replace(reads=seen.reads.astype(image.dtype), spreads=seen.spreads.astype(image.dtype))
    return Scene(*seen, valid, image[valid].reshape(valid.sum(), -1))


def fit(scene, chosen, device, every, state=None, wanted=None):
    return ENGINES[chosen.engine](scene, chosen, device, every, state, wanted)


def fitted(scene, every=10, **changed):
    """Every loss of a training, and what the network painted at its end."""
    paintings = list(fit(scene, hyperparameters(**changed), CPU, every))
    return np.concatenate([painting.loss for painting in paintings]), paintings[-1].cells


def scan(height=40, width=50, channels=3, seed=3):
    image = np.random.default_rng(seed).random((height, width, channels), dtype=np.float32)
    valid = np.ones((height, width), bool)
    valid[12:16] = False
    return image, valid


def reference_vase_steps(image, valid, channels, lr, reg_noise_std, param_noise, seed):
    """The report's network and training, written out without any of our modules; the loss as a mean over known pixels.

    Weights are drawn in the order in which the package builds its layers, noise in the order of the
    seven steps. Returns all parameters in the order of the package, the optimiser, and one step of the training,
    which tells its loss.
    """
    torch.manual_seed(seed)

    def weights(fed, width, kernel):
        layer = nn.Conv2d(fed, width, kernel)
        return [layer.weight.detach().requires_grad_(), layer.bias.detach().requires_grad_()]

    def norm(width):
        return [torch.ones(width, requires_grad=True), torch.zeros(width, requires_grad=True)]

    levels = []
    for level in reversed(range(5)):
        fed = 2 if level == 0 else channels
        down1 = (weights(fed, channels, 3), norm(channels))
        down2 = (weights(channels, channels, 3), norm(channels))
        up_norm = norm(channels)
        up1 = (weights(channels, channels, 3), norm(channels))
        up2 = (weights(channels, channels, 1), norm(channels))
        levels.insert(0, (down1, down2, up_norm, up1, up2))
    last = weights(channels, image.shape[2], 1)

    def normalise(x, parameters):
        return F.batch_norm(x, None, None, *parameters, training=True)

    def block(x, layer, stride=1):
        (weight, bias), norms = layer
        pad = weight.shape[-1] // 2
        if pad:
            x = F.pad(x, (pad, pad, pad, pad), mode="reflect")
        return F.leaky_relu(normalise(F.conv2d(x, weight, bias, stride), norms), 0.2)

    def forward(x, level=0):
        if level == 5:
            return x
        down1, down2, up_norm, up1, up2 = levels[level]
        x = forward(block(block(x, down1, stride=2), down2), level + 1)
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        return block(block(normalise(x, up_norm), up1), up2)

    def in_package_order(level=0):
        """Level by level: down, everything below, up."""
        if level == 5:
            return []
        down1, down2, up_norm, up1, up2 = levels[level]
        down, up = [*down1, *down2], [up_norm, *up1, *up2]
        return [*(p for part in down for p in part), *in_package_order(level + 1), *(p for part in up for p in part)]

    parameters = [*in_package_order(), *last]
    optimiser = torch.optim.Adam(parameters, lr=lr)
    height, width = valid.shape
    rows, columns = -(-height // 32) * 32, -(-width // 32) * 32
    x = (torch.arange(columns) / (width - 1)).expand(rows, columns)
    y = (torch.arange(rows) / (height - 1))[:, None].expand(rows, columns)
    still = torch.stack([x, y])[None]
    target = torch.tensor(image).permute(2, 0, 1)[None]
    mask = torch.tensor(valid).to(target.dtype)
    random = torch.Generator().manual_seed(seed)

    def step():
        fed = still + reg_noise_std * torch.randn(still.shape, generator=random)
        if param_noise:
            for weight in parameters:
                if weight.ndim == 4:
                    noise = torch.randn(weight.shape, generator=random)
                    weight.data += noise * weight.data.std() / 50
        output = torch.sigmoid(F.conv2d(forward(fed), *last))[..., :height, :width]
        loss = ((output * mask - target * mask) ** 2).sum() / (mask.sum() * image.shape[2])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return parameters, optimiser, step


def moments_of(state):
    """Adam's two averages of every parameter, of either engine; none of the biases that the fast one leaves alone."""
    weights = state["network"]
    if "optimiser" in state:
        kept = state["optimiser"]["state"]
        return {key: (kept[i]["exp_avg"], kept[i]["exp_avg_sq"]) for i, key in enumerate(weights) if kept}
    convolutions = [key[: -len("weight")] for key, weight in weights.items() if weight.ndim == 4]
    trained = [key for key in weights if not (key.startswith("0.") and key[: -len("bias")] in convolutions)]
    means, squares = (state["left"][part * len(trained) :][: len(trained)] for part in range(2))
    return dict(zip(trained, zip(means, squares, strict=True), strict=True))


# How far two gradients from equal weights may differ by rounding, in doubles: relative, and beside 0.
ROUNDED = {"rtol": 1e-7, "atol": 1e-13}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("param_noise", [False, True])
@pytest.mark.usefixtures("doubles")
def test_each_step_of_an_engine_is_that_of_a_written_out_reference(engine, param_noise):
    """From the same weights and averages: rounding grows a millionfold in a few steps of Adam that go on alone."""
    image, valid = scan(width=70)
    image = image.astype(float)
    chosen = {"lr": 0.01, "reg_noise_std": 0.03, "param_noise": param_noise, "seed": 7, "channels": 8}
    parameters, optimiser, step = reference_vase_steps(image, valid, **chosen)
    asked = hyperparameters(engine=engine, iterations=5, **chosen)
    paintings = [(each.loss, each.state()) for each in fit(scene_of(image, valid), asked, CPU, every=1)]
    names = list(paintings[0][1]["network"])
    for drawn, first in zip(parameters, paintings[0][1]["network"].values(), strict=True):
        assert torch.equal(drawn, first)
    for done, ((_, before), (losses, after)) in enumerate(itertools.pairwise(paintings)):
        averages = moments_of(before)
        for name, parameter in zip(names, parameters, strict=True):
            parameter.data.copy_(before["network"][name])
            if done and name in averages:
                optimiser.state[parameter]["exp_avg"].copy_(averages[name][0])
                optimiser.state[parameter]["exp_avg_sq"].copy_(averages[name][1])
        assert losses == pytest.approx([step()], abs=1e-12)
        averages = moments_of(after)
        for name, parameter in zip(names, parameters, strict=True):
            if name in averages:
                kept = optimiser.state[parameter]
                torch.testing.assert_close(averages[name][0], kept["exp_avg"], **ROUNDED)
                torch.testing.assert_close(averages[name][1], kept["exp_avg_sq"], **ROUNDED)
            # Beside 0 Adam divides a gradient by its eps of 1e-8: 1e-13 becomes 1e-5 of the learning rate.
            torch.testing.assert_close(after["network"][name], parameter.detach(), rtol=0, atol=1e-5 * asked.lr)


def test_same_seed_same_bytes_and_another_seed_not():
    scene = scene_of(*scan())
    runs = [fitted(scene, channels=8, param_noise=True, seed=seed)[1].tobytes() for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("average", [0, 0.9])
def test_other_random_numbers_and_looking_on_change_nothing(average):
    scene = scene_of(*scan())
    losses, first = fitted(scene, channels=8, average=average)
    torch.manual_seed(99)
    torch.rand(5)
    often, second = fitted(scene, every=3, channels=8, average=average)
    assert losses.tobytes() == often.tobytes() and len(losses) == 20
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("engine", ENGINES)
def test_paintings_come_before_the_first_every_k_and_after_the_last(engine):
    chosen = hyperparameters(engine=engine, channels=8, iterations=7)
    paintings = list(fit(scene_of(*scan()), chosen, CPU, every=3))
    assert [(painting.iteration, len(painting.loss)) for painting in paintings] == [(0, 0), (3, 3), (6, 3), (7, 1)]


@pytest.mark.parametrize("garbage", [0, 1e9, np.nan])
def test_missing_pixels_have_no_influence(garbage):
    image, valid = scan()
    spoilt = np.where(valid[..., None], image, np.float32(garbage))
    same = [fitted(scene_of(picture, valid), channels=8, iterations=3)[1] for picture in (image, spoilt)]
    assert same[0].tobytes() == same[1].tobytes()


def test_param_noise_and_input_noise_are_really_applied():
    scene = scene_of(*scan())
    changed = [{}, {"param_noise": True}, {"reg_noise_std": 0}, {"reg_noise_std": 0.3}]
    first = {tuple(fitted(scene, channels=8, iterations=2, **change)[0]) for change in changed}
    assert len(first) == len(changed)


def test_param_noise_shakes_each_convolution_by_a_fiftieth_of_its_spread():
    from scatterheal.dip.loop import shake

    built = network.build("vase", 2, 3, channels=64)
    before = [p.detach().clone() for p in built.parameters()]
    shake(built, torch.Generator().manual_seed(0))
    for old, new in zip(before, map(torch.Tensor.detach, built.parameters()), strict=True):
        if old.ndim == 4:
            assert float((new - old).std() / old.std()) == pytest.approx(1 / 50, rel=0.15)
        else:
            assert torch.equal(old, new)


@pytest.mark.parametrize(("name", "count"), [("vase", 2157955), ("kate", 3002627), ("library", 2028403)])
def test_networks_have_the_size_that_the_documentation_says(name, count):
    plan = network.PLANS[name]
    inputs = 2 if plan.input == "meshgrid" else plan.noise_channels
    assert sum(weights.numel() for weights in network.build(name, inputs, 3).parameters()) == count
    assert f"{count:,}" in (Path(__file__).parents[1] / "docs" / "method.md").read_text()


@pytest.mark.parametrize("name", ["vase", "kate", "library"])
@pytest.mark.parametrize("shape", [(16, 16), (33, 70), (64, 32)])
def test_every_network_paints_any_size(name, shape):
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    _, cells = fitted(scene_of(image, np.ones(shape, bool)), network=name, channels=8, iterations=2)
    assert cells.shape == (shape[0] * shape[1], 1)
    assert (cells > 0).all() and (cells < 1).all()


def test_training_lowers_the_loss_and_learns_a_gradient_across_a_hole():
    image = np.linspace(0.2, 0.8, 48, dtype=np.float32) * np.ones((48, 1), np.float32)
    valid = np.ones((48, 48), bool)
    valid[20:26] = False
    losses, cells = fitted(scene_of(image, valid), channels=16, iterations=60, reg_noise_std=0)
    assert losses[-1] < 0.1 * losses[0]
    assert np.abs(cells.reshape(48, 48) - image)[20:26].mean() < 0.1


COUNTS = np.random.default_rng(0).poisson(9, (40, 40)).astype(np.float32)
ROUND = polar((40, 40), (19, 21), radius_step=1, angles=32)


def counted(**more):
    """Counts of all but a gap, of which a polar canvas is to learn what differs from nine."""
    valid = np.ones((40, 40), bool)
    valid[12:16] = False
    start = np.full((valid.sum(), 1), np.log(9), np.float32)
    return Scene(*view(ROUND, valid.shape), valid, COUNTS[valid][:, None], start=start, **more)


def test_matrices_of_all_pixels_paint_what_those_of_the_known_ones_do():
    """A training's own matrices, of its known pixels alone, are what every fold had to keep before it shared them."""
    shared = counted()
    reads = sampling(ROUND, shared.known)
    own = shared._replace(reads=reads, spreads=sparse.csr_array(reads.T), known=np.ones(len(shared.values), bool))
    assert own.reads.shape[0] < shared.reads.shape[0]
    chosen = {"channels": 8, "loss": "poisson", "input": "noise", "average": 0.9}
    each = [fitted(scene, **chosen) for scene in (shared, own)]
    assert each[0][0].tobytes() == each[1][0].tobytes() and each[0][1].tobytes() == each[1][1].tobytes()


@pytest.mark.parametrize("loss", ["poisson", "anscombe"])
def test_a_training_on_counts_starts_from_what_is_expected(loss):
    chosen = hyperparameters(channels=8, loss=loss, lr=0.001, reg_noise_std=0, input="noise", iterations=2)
    first, second, third = fit(counted(), chosen, CPU, every=1)
    assert (first.cells == 0).all() and (second.latest == 0).all()
    # A head of zeros lets no gradient through, so the first step of Adam moves the head alone: a bias, and the weights
    # of eight normalised channels, each by lr at most.
    assert 0.1 < np.sqrt(np.mean(second.cells**2)) / 0.001 < 9
    assert third.loss < second.loss


def test_what_a_network_is_fed_besides_changes_what_it_paints():
    maps = np.random.default_rng(0).normal(0, 0.1, (2, ROUND.rows, ROUND.columns)).astype(np.float32)
    chosen = {"channels": 8, "loss": "poisson", "iterations": 3, "input": "noise"}
    each = [fitted(counted(maps=given), **chosen)[1].tobytes() for given in (None, maps, maps[:, ::-1].copy())]
    assert len(set(each)) == 3


@pytest.mark.usefixtures("doubles")
def test_the_first_column_of_a_circle_follows_on_the_last():
    """An input that is turned, by a multiple of what five halvings keep in step, turns what is painted."""
    built = network.build("vase", 3, 1, channels=8, wraps=True)
    still = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        turned, there = built(still.roll(32, dims=3)), built(still).roll(32, dims=3)
    torch.testing.assert_close(turned, there, atol=1e-10, rtol=0)


def test_the_average_forgets_the_first_paintings():
    """After k iterations the weight of a new painting is 2 / (k + 1), and never less than 1 - average."""
    scene = scene_of(*scan())
    single = [painting.cells for painting in fit(scene, hyperparameters(channels=8, reg_noise_std=0), CPU, every=1)]
    chosen = hyperparameters(channels=8, reg_noise_std=0, average=0.75, iterations=9)
    *_, averaged = fit(scene, chosen, CPU, every=9)
    # Without noise what iteration k paints is what the network of k - 1 paints.
    expected = single[0]
    for iteration in range(1, 10):
        expected = expected + (single[iteration - 1] - expected) * max(0.25, 2 / (iteration + 1))
    np.testing.assert_allclose(averaged.cells, expected, atol=1e-6)


def test_bfloat16_paints_nearly_the_same():
    scene = scene_of(*scan())
    chosen = {"engine": "reference", "channels": 16, "iterations": 1}
    wide = [fitted(scene, **chosen, precision=each)[0][0] for each in ("float32", "bfloat16")]
    assert wide[0] == pytest.approx(wide[1], rel=0.02)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_asked_for_where_there_is_none_is_one_clear_line():
    with pytest.raises(ScanError, match=r"fit\.device: cuda was asked for, but .*; install a CUDA build"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"


@pytest.mark.parametrize("engine", ["reference", "fast"])
@pytest.mark.parametrize(
    "changed",
    [
        {"loss": "mse", "average": 0, "param_noise": True, "channels": 8},
        {"loss": "mse", "average": 0.9, "input": "noise", "network": "kate", "channels": 8},
    ],
)
def test_a_training_that_goes_on_from_a_state_comes_to_the_same_bytes(engine, changed, tmp_path):
    scene = scene_of(*scan())
    chosen = hyperparameters(engine=engine, iterations=11, **changed)
    whole = list(fit(scene, chosen, CPU, 4))
    assert [painting.iteration for painting in whole] == [0, 4, 8, 11]
    paintings = fit(scene, chosen, CPU, 4)
    before = [next(paintings) for _ in range(2)]
    torch.save(before[-1].state(), tmp_path / "state")
    # What goes on changes nothing that was handed over.
    list(paintings)
    again = list(fit(scene, chosen, CPU, 4, torch.load(tmp_path / "state", weights_only=True)))
    assert [painting.iteration for painting in again] == [4, 8, 11]
    for one, other in zip(whole[1:], again, strict=True):
        assert [part.tobytes() for part in one[1:4]] == [part.tobytes() for part in other[1:4]]


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_what_is_wanted_in_between_is_handed_over_after_the_iteration_that_it_is_in(engine):
    scene, chosen = scene_of(*scan()), hyperparameters(engine=engine, channels=8, iterations=11, average=0.9)
    whole = list(fit(scene, chosen, CPU, 4))
    moments = iter([False, False, False, True, True])
    paintings = fit(scene, chosen, CPU, 4, wanted=lambda: next(moments))
    before = [next(paintings) for _ in range(4)]
    assert [painting.iteration for painting in before] == [0, 4, 5, 6]
    again = list(fit(scene, chosen, CPU, 4, before[-1].state()))
    assert [painting.iteration for painting in again] == [8, 11]
    for one, other in zip(whole[2:], again, strict=True):
        assert [part.tobytes() for part in one[1:4]] == [part.tobytes() for part in other[1:4]]
