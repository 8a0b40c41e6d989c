"""The fast engine is the plain loop, but for rounding: with doubles each step of both is the same."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scatterheal.dip import fast, loop, network
from scatterheal.dip.scene import Scene
from scatterheal.polar.canvas import cartesian, polar, view
from scatterheal.settings.models import Fit

CPU = torch.device("cpu")


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["vase", "kate", "library"]),
    st.booleans(),
    st.sampled_from([(96, 96), (96, 128), (160, 96)]),
    st.integers(1, 3),
)
def test_it_paints_the_same_and_learns_the_same_from_it(name, wraps, size, outputs):
    torch.manual_seed(0)
    built = network.build(name, 2, outputs, channels=8, wraps=wraps).double().to(memory_format=torch.channels_last)
    fed, wanted = torch.rand(1, 2, *size).double(), torch.rand(1, outputs, *size).double()
    painted, gradients = [], []
    for paint in (built, lambda fed: fast.paint(built, fed)):
        built.zero_grad()
        painted.append(paint(fed))
        ((painted[-1] - wanted) ** 2).mean().backward()
        gradients.append({name: weights.grad for name, weights in built.named_parameters()})
    torch.testing.assert_close(painted[0], painted[1], rtol=0, atol=1e-11)
    plain, quick = gradients
    for key, gradient in plain.items():
        if quick[key] is None or key.endswith("up.0.bias"):
            # A shift before a normalisation changes nothing.
            assert key.endswith("bias") and gradient.abs().max() < 1e-14
        else:
            torch.testing.assert_close(gradient, quick[key], rtol=1e-7, atol=1e-13)


@pytest.mark.parametrize("name", ["vase", "kate", "library"])
def test_16_bits_paint_as_well_as_the_plain_loop_does_with_them(name):
    torch.manual_seed(0)
    built = network.build(name, 4, 1, channels=16, wraps=True).to(memory_format=torch.channels_last)
    fed = torch.rand(1, 4, 128, 96)
    with torch.no_grad():
        exact, quick = built(fed), fast.paint(built, fed.to(torch.bfloat16))
        with torch.autocast("cpu", torch.bfloat16):
            plain = built(fed)
    assert quick.dtype == plain.dtype == torch.bfloat16
    off = [float((painted.float() - exact).norm() / exact.norm()) for painted in (plain, quick)]
    assert 0 < off[1] < 1.5 * off[0] < 0.2


def scene_on(canvas, shape, start=True):
    valid = np.ones(shape, bool)
    valid[14:19] = False
    counts = np.random.default_rng(0).poisson(5, shape).astype(float)[valid][:, None]
    seen = view(canvas, shape)
    seen = seen._replace(reads=seen.reads.astype(float), spreads=seen.spreads.astype(float))
    if not start:
        return Scene(*seen, valid, counts / counts.max())
    return Scene(*seen, valid, counts, start=np.full_like(counts, np.log(5)), gain=0.5)


def for_fast(state):
    """A state of the plain loop as the fast engine keeps it, which leaves biases before a normalisation alone."""
    weights, kept = state["network"], state["optimiser"]["state"]
    convolutions = [name[: -len("weight")] for name, values in weights.items() if values.ndim == 4]
    nothing = torch.zeros(())
    parts = [
        kept[i][part] if kept else nothing if part == "step" else torch.zeros_like(values)
        for part in ("exp_avg", "exp_avg_sq", "step")
        for i, (name, values) in enumerate(weights.items())
        if not (name.startswith("0.") and name[: -len("bias")] in convolutions)
    ]
    average = torch.zeros_like(state["latest"]) if state["average"] is None else state["average"]
    done = torch.tensor(state["iteration"])
    left = [*parts, done, state["losses"], state["latest"], average]
    return {"network": weights, "random": state["random"], "iteration": state["iteration"], "left": left}


@pytest.mark.parametrize(
    ("chosen", "canvas"),
    [
        ({"loss": "poisson", "input": "noise", "average": 0.9, "lr": 0.005}, polar((60, 70), (30, 40), 0.7, 96)),
        ({"loss": "mse", "param_noise": True}, cartesian((60, 70), None)),
        ({"loss": "anscombe", "network": "kate", "reg_noise_std": 0}, cartesian((60, 70), None)),
    ],
)
@pytest.mark.usefixtures("doubles")
def test_each_step_of_a_training_is_the_same(chosen, canvas):
    """From the same weights and averages: rounding grows a millionfold in a few steps of Adam that go on alone."""
    scene = scene_on(canvas, (60, 70), start=chosen["loss"] != "mse")
    asked = Fit(**{"channels": 8, "iterations": 5, **chosen})
    plain = [(painting, painting.state()) for painting in loop.fit(scene, asked, CPU, every=1)]
    for (_, before), (expected, after) in itertools.pairwise(plain):
        first, painting = fast.fit(
            scene, asked.model_copy(update={"iterations": expected.iteration}), CPU, 1, for_fast(before)
        )
        assert (first.iteration, painting.iteration) == (before["iteration"], expected.iteration)
        np.testing.assert_allclose(painting.loss, expected.loss, rtol=0, atol=1e-12)
        np.testing.assert_allclose(painting.latest, expected.latest, rtol=0, atol=1e-11)
        # Beside 0 Adam divides a gradient, which rounding may move by 1e-13, by its eps of 1e-8.
        moved = painting.state()["network"]
        for name, weights in after["network"].items():
            torch.testing.assert_close(moved[name], weights, rtol=0, atol=1e-5 * asked.lr)
        # What thousands of so little moved weights paint.
        np.testing.assert_allclose(painting.cells, expected.cells, rtol=0, atol=1e-6)
    assert np.abs(plain[-1][0].cells - plain[0][0].cells).max() > 0.01


def test_small_numbers_are_zero_in_every_thread():
    told = "import torch; from scatterheal.compute.devices import use_threads; use_threads(4)\n"
    told += "print(int((torch.full((4_000_000,), 1e-39) * 1.0).count_nonzero()))"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "0\n"
