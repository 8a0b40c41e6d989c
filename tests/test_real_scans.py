"""The real scans: crop, colour bar, counts, stripes, masks and centre come out right. Skipped where they are absent."""

import functools

import numpy as np
import pytest

from scatterheal import crop, detectors, frames, masks, prepare, scale

SCANS = {
    # name: (height, width), colour bar's low and high colour
    "HDPE_85_low": ((662, 582), (0, 0, 32), (128, 0, 0)),
    "MD2_MV_bulk": ((662, 582), (0, 0, 32), (128, 0, 0)),
    "MD2_MV_bulk_3": ((620, 775), (0, 0, 32), (128, 0, 0)),
    "MD2_MV_edge_2": ((620, 775), (0, 0, 32), (128, 0, 0)),
    "MD2_MV_shear": ((663, 582), (0, 0, 32), (128, 0, 0)),
    "MD2_MV_shear_2": ((620, 775), (0, 0, 32), (128, 0, 0)),
    "latest_0009102": ((483, 614), (62, 38, 168), (249, 251, 14)),
}
FRAMES = {"HDPE_85_low_frame": (1679, 1475), "buf1_00000": (1043, 981)}
# Counts or values of a figure, whose reading takes a second each.
prepared = functools.cache(lambda scan: prepare.prepare(scan))


def test_every_scan_is_described(real_scans):
    assert set(real_scans) == {*SCANS, *FRAMES}


@pytest.mark.parametrize("name", SCANS)
def test_plot_area_and_colour_bar(real_scans, name):
    shape, low, high = SCANS[name]
    found = crop.crop_scan(real_scans[name].image, "figure")
    assert found.image.shape == (*shape, 3)
    np.testing.assert_allclose(found.colours[0], low, atol=30)  # JPEG tints the bar where its frame is
    np.testing.assert_allclose(found.colours[-1], high, atol=60)
    if name == "latest_0009102":
        assert found.box == tuple(real_scans[name].crop) == (105, 76, 719, 559)
