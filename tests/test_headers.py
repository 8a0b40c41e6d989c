"""Headers of frames in SI units, and nonsense in them."""

import math

import fabio
import numpy as np
import tifffile

from scatterheal.pattern.geometry import Geometry
from scatterheal.reading.frames import read_frame

COUNTS = np.ones((2, 3), np.int32)


def header_of(path, image):
    """What is read from a file as fabio writes it."""
    image.write(str(path))
    return read_frame(path).header


DECTRIS = """# Detector: PILATUS 2M, S/N 24-0107-0
# Pixel_size 172e-6 m x 150e-6 m
# Exposure_time 0.0600000 s
# Count_cutoff 1048500 counts
# Wavelength 1.0332 A
# Detector_distance 2.15 m
# Beam_xy (716.25, 692.50) pixels"""
DECTRIS_HEADER = Geometry(
    0.06, (150e-6, 172e-6), 1.0332e-10, 2.15, (716.25, 692.5), 1048500.0, "PILATUS 2M, S/N 24-0107-0"
)


def test_mini_cbf_and_pilatus_tiff_headers(tmp_path):
    keys = {"_array_data.header_convention": "PILATUS_1.2", "_array_data.header_contents": DECTRIS}
    found = header_of(tmp_path / "a.cbf", fabio.cbfimage.CbfImage(data=COUNTS, header=keys))
    np.testing.assert_allclose(np.hstack(found[:-1]), np.hstack(DECTRIS_HEADER[:-1]))
    lines = DECTRIS.replace("# Detector: PILATUS 2M, S/N 24-0107-0\n", "")
    extra = [(272, 2, 0, "PILATUS3 1M, S/N 10-0120", True)]
    tifffile.imwrite(tmp_path / "a.tif", COUNTS, description=lines, extratags=extra, metadata=None)
    found = read_frame(tmp_path / "a.tif").header
    np.testing.assert_allclose(np.hstack(found[:-1]), np.hstack(DECTRIS_HEADER[:-1]))
    assert found.detector == "PILATUS3 1M, S/N 10-0120"


def test_edf_headers_and_nonsense_in_them(tmp_path):
    keys = {
        "PSize_1": "1.72e-04",
        "psize_2": "0.15 mm",
        "SampleDistance": "2.15",
        "WaveLength": "1.0332e-10",
        # These count from the outer edge of the first pixel.
        "Center_1": "716.75",
        "center_2": "693.0",
        "ExposureTime": "60 ms",
        "Count_cutoff": "1048500",
        "detector": "PILATUS 2M, S/N 24-0107-0",
    }
    found = header_of(tmp_path / "a.edf", fabio.edfimage.EdfImage(data=COUNTS, header=keys))
    np.testing.assert_allclose(np.hstack(found[:-1]), np.hstack(DECTRIS_HEADER[:-1]))
    assert found.detector == DECTRIS_HEADER.detector
    nonsense = {
        "PSize_1": "0",
        "PSize_2": "1e-4",
        "SampleDistance": "-1",
        "WaveLength": "nan",
        "ExposureTime": "not set",
    }
    nonsense |= {"Center_1": "0", "Center_2": "0.0", "detector": " "}
    assert header_of(tmp_path / "b.edf", fabio.edfimage.EdfImage(data=COUNTS, header=nonsense)) == Geometry()


def test_the_real_pilatus_tiff(real_scans):
    frame = read_frame(real_scans["buf1_00000"].image)
    assert frame.counts.shape == (1043, 981) and frame.counts.min() == -2
    header = frame.header
    assert header.exposure_time == 10 and header.pixel_size == (172e-6, 172e-6) and header.count_cutoff == 1080457
    assert math.isclose(header.wavelength, 1.54987e-10) and header.detector == "PILATUS3 1M, S/N 10-0120"
    assert header.distance is header.beam_centre is frame.missing is None
