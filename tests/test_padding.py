import pytest
import torch
from torch.nn.functional import pad

from scatterheal.dip.padding import Padding


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("wraps", [False, True])
def test_the_same_numbers_and_gradients_as_pytorch_pads(width, wraps):
    ours, theirs = (torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    ours, theirs = ours.requires_grad_(), theirs.requires_grad_()
    wide = pad(theirs, (width, width, 0, 0), mode="circular" if wraps else "reflect")
    expected = pad(wide, (0, 0, width, width), mode="reflect")
    padded = Padding(width, wraps)(ours)
    assert torch.equal(padded, expected)
    weights = torch.rand(expected.shape)
    (padded * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
