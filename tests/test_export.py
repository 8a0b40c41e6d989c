"""Healed counts for other programs: every bit arrives, and fabio, silx and pyFAI read what the names promise."""

import json
import time
from pathlib import Path

import fabio
import h5py
import numpy as np
import pytest
import silx.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from silx.io import nxdata

from scatterheal import storage
from scatterheal.app.simulate import radius_and_azimuth
from scatterheal.errors import ScanError
from scatterheal.pattern.found import BeamCentre, Found
from scatterheal.pattern.geometry import Geometry
from scatterheal.pattern.healed import Healed
from scatterheal.pattern.meaning import Meaning
from scatterheal.pattern.pixels import (
    BEAMSTOP,
    CLIPPED_HIGH,
    CLIPPED_LOW,
    GAP,
    HOT_OR_DEAD,
    OUTSIDE,
    REASONS,
    UNMEASURED,
)
from scatterheal.pipeline import export, provenance

KNOWN = Geometry(
    exposure_time=0.06,
    pixel_size=(172e-6, 75e-6),
    wavelength=1.1e-10,
    distance=2.1,
    beam_centre=(23.25, 31.5),
    count_cutoff=1048574,
    detector="Pilatus 2M",
)
UNKNOWN = Geometry()
RECORD = {
    "source": {"file": "a.tif", "sha256": "1f" * 32},
    "intensity": {"unit": "counts"},
    "mask_sha256": "2e" * 32,
    "hyperparameters": {"method": "dip", "lr": 0.01},
    "pixels": {"healed": 4, "not_validated": 3, "censored": 5},
    "versions": {"scatterheal": "0.1.0"},
}


def write_hdf5(path, healed, model, reasons, record, header):
    """With a standard deviation of 0.5 of what is measured, and every missing pixel out of reach."""
    sd, beyond = np.where(reasons > 0, np.float32(np.nan), np.float32(0.5)), reasons > 0
    flags = np.where(reasons > 0, 0, CLIPPED_HIGH).astype(np.uint8)
    export.write_hdf5(path, Healed(healed, model, sd, beyond, reasons, flags), record, header)


FINITE = arrays(
    np.float32,
    st.tuples(st.integers(2, 9), st.integers(2, 9)),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@pytest.mark.parametrize(
    ("reason", "rejected"),
    [
        ("gap", 1),
        ("stripe", 1),
        ("hot_or_dead", 2),
        ("beamstop", 256),
        ("holder", 256),
        ("user", 256),
        ("outside", 256),
    ],
)
def test_reasons_become_the_bits_of_nexus(reason, rejected):
    (bit,) = (known.bit for known in REASONS if known.name == reason)
    mask = export.pixel_mask(np.array([[0, bit]]))
    assert mask.dtype == np.uint32
    assert mask.tolist() == [[0, 2**31 + rejected]]


def test_programs_reject_every_reason():
    sums = np.arange(2 ** len(REASONS), dtype=np.uint16)
    assert ((export.pixel_mask(sums) & 0xFFFF > 0) == (sums > 0)).all()


def test_reasons_of_eight_bits_are_the_same_mask():
    """So reasons.tif was written once, and folders of results still hold such files."""
    reasons = np.array([[0, 1, 2 | 4], [8, 128, 255]], np.uint16)
    of_eight_bits = reasons.astype(np.uint8)
    assert (export.pixel_mask(of_eight_bits) == export.pixel_mask(reasons)).all()
    assert provenance.mask_sha256(of_eight_bits) == provenance.mask_sha256(reasons)
    assert provenance.mask_sha256(reasons) != provenance.mask_sha256(reasons & 254)


def test_the_docs_tell_every_reason():
    told = (Path(__file__).parents[1] / "docs" / "formats.md").read_text()
    for reason in REASONS:
        ends = (f"| {reason.bit} | `{reason.name}` |", f"| {reason.nexus_bit} | {reason.copied or 'no'} |")
        assert any(line.startswith(ends[0]) and line.endswith(ends[1]) for line in told.splitlines()), reason.name


@settings(max_examples=30, deadline=None)
@given(FINITE)
def test_every_bit_of_the_counts_comes_back(tmp_path_factory, healed):
    folder = tmp_path_factory.mktemp("export")
    export.write_edf(folder / "healed.edf", healed, RECORD, KNOWN)
    write_hdf5(folder / "healed.h5", healed, healed, np.zeros(healed.shape, np.uint16), RECORD, KNOWN)
    with fabio.open(str(folder / "healed.edf")) as edf, h5py.File(folder / "healed.h5") as file:
        backs = [edf.data, file["entry/data/healed"][()], file["entry/instrument/detector/data"][()]]
    for back in backs:
        assert back.dtype == np.float32
        assert back.shape == healed.shape
        assert back.tobytes() == healed.tobytes()
    assert sorted(path.name for path in folder.iterdir()) == ["healed.edf", "healed.h5"]


def test_counts_that_floats_often_lose_arrive(tmp_path):
    healed = np.array([[-0.0, 2**24], [1048575, 1e-45]], np.float32)
    export.write_edf(tmp_path / "healed.edf", healed, RECORD, UNKNOWN)
    assert fabio.open(str(tmp_path / "healed.edf")).data.tobytes() == healed.tobytes()


@pytest.mark.parametrize(
    ("healed", "says"),
    [
        (np.zeros((4, 5, 3), np.uint8), "holds counts"),
        (np.zeros((4, 5), np.float64), "holds counts"),
        (np.array([[1, np.nan], [np.inf, 1]], np.float32), "2 healed pixels are not finite"),
    ],
)
def test_pictures_and_broken_runs_are_refused(tmp_path, healed, says):
    reasons = np.zeros(healed.shape[:2], np.uint16)
    with pytest.raises(ScanError, match=says):
        export.write_edf(tmp_path / "healed.edf", healed, RECORD, UNKNOWN)
    with pytest.raises(ScanError, match=says):
        write_hdf5(tmp_path / "healed.h5", healed, healed, reasons, RECORD, UNKNOWN)
    assert not list(tmp_path.iterdir())


def test_the_same_content_gives_the_same_bytes(tmp_path):
    healed = np.random.default_rng(0).poisson(9, (70, 60)).astype(np.float32)
    reasons = (healed > 12).astype(np.uint16)
    for name in ("first", "second"):
        export.write_edf(tmp_path / f"{name}.edf", healed, RECORD, KNOWN)
        write_hdf5(tmp_path / f"{name}.h5", healed, healed, reasons, RECORD, KNOWN)
        time.sleep(1.1)  # HDF5's own time stamps, were there any, count seconds
    for suffix in ("edf", "h5"):
        assert (tmp_path / f"first.{suffix}").read_bytes() == (tmp_path / f"second.{suffix}").read_bytes()


def test_silx_shows_the_healed_image_first(tmp_path):
    healed, model = np.ones((3, 4), np.float32), np.full((3, 4), 2, np.float32)
    reasons = np.zeros((3, 4), np.uint16)
    reasons[1] = GAP
    write_hdf5(tmp_path / "healed.h5", healed, model, reasons, RECORD, KNOWN)
    with silx.io.open(str(tmp_path / "healed.h5")) as file:
        shown = nxdata.get_default(file)
        assert shown.is_valid
        assert shown.signal_dataset_name == "healed"
        assert shown.auxiliary_signals_dataset_names == ["model"]
        assert shown.interpretation == "image"
        # NeXus: <signal>_errors is the standard deviation of the signal.
        np.testing.assert_array_equal(shown.errors[()], np.where(reasons > 0, np.nan, 0.5))
        assert shown.axes_names == ["y (pixel)", "x (pixel)"]
        assert [len(axis) for axis in shown.axes] == [3, 4]
        data = file["entry/data"]
        assert (data["reasons"][()] == reasons).all()
        named = data["reasons"].attrs
        assert data["reasons"].dtype == named["flag_masks"].dtype == np.uint16
        meanings = zip(named["flag_meanings"].split(), named["flag_masks"], strict=True)
        assert list(meanings) == [(reason.name, reason.bit) for reason in REASONS]
        assert (data["pixel_mask"][()] == export.pixel_mask(reasons)).all()
        assert data["healed_errors"].attrs["units"] == "counts"
        assert (data["flags"][()] == [[2] * 4, [0] * 4, [2] * 4]).all()
        named = data["flags"].attrs
        assert named["flag_meanings"].split() == ["that_or_less", "that_or_more"]
        assert named["flag_masks"].tolist() == [CLIPPED_LOW, CLIPPED_HIGH]
        assert (data["beyond"][()] == [[0] * 4, [1] * 4, [0] * 4]).all()
    healed_again = fabio.open(f"{tmp_path}/healed.h5::/entry/data/healed")
    assert (healed_again.data == healed).all()


def test_the_header_is_in_si_units_and_the_record_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no such package"))
    source = tmp_path / "scan.tif"
    source.write_bytes(b"counts")
    reasons = np.array([[0, 1], [0, 0]], np.uint16)
    healed = np.ones((2, 2), np.float32)
    record = provenance.record(
        provenance.of_files(source),
        scan={"kind": "frame"},
        found=Found(BeamCentre(23.25, 31.5, "symmetry", 0.1)),
        meaning=Meaning("counts", "counts of the file"),
        geometry=KNOWN,
        healed=Healed(healed, healed, healed, reasons > 0, reasons, np.array([[0, 1], [1, 2]], np.uint8)),
        run={"hyperparameters": {"method": "pyfai"}, "metrics": {"score": np.nan}},
        coverage=[{"side": 1, "within_68": 0.69}],
    )
    assert (record["coverage"], record["not_validated_share"]) == ([{"side": 1, "within_68": 0.69}], 0.25)
    assert record["pixels"] == {"healed": 1, "not_validated": 1, "censored": 2}
    assert record["versions"]["numpy"] == np.__version__ and record["versions"]["no such package"] is None
    write_hdf5(tmp_path / "healed.h5", healed, healed, reasons, record, KNOWN)
    with h5py.File(tmp_path / "healed.h5") as file:
        detector = file["entry/instrument/detector"]
        scalars = {name: field for name, field in detector.items() if "units" in field.attrs and field.ndim == 0}
        assert {name: (field[()], field.attrs["units"]) for name, field in scalars.items()} == {
            "x_pixel_size": (75e-6, "m"),
            "y_pixel_size": (172e-6, "m"),
            "distance": (2.1, "m"),
            "beam_center_x": (23.75, "pixel"),
            "beam_center_y": (32.0, "pixel"),
            "count_time": (0.06, "s"),
            "saturation_value": (1048574, "counts"),
        }
        assert detector["description"].asstr()[()] == "Pilatus 2M"
        assert file["entry/instrument/beam/incident_wavelength"][()] == 1.1e-10
        kept = json.loads(file["entry/healing/provenance/data"][()], parse_constant=pytest.fail)
        assert kept == json.loads(json.dumps({**record, "metrics": {"score": None}}))
        assert file["entry/healing/version"].asstr()[()] == record["versions"]["scatterheal"]


def test_what_the_header_does_not_hold_is_left_out(tmp_path):
    healed = np.ones((2, 2), np.float32)
    export.write_edf(tmp_path / "healed.edf", healed, RECORD, UNKNOWN)
    write_hdf5(tmp_path / "healed.h5", healed, healed, np.zeros((2, 2), np.uint16), RECORD, UNKNOWN)
    written = fabio.open(str(tmp_path / "healed.edf")).header
    assert not set(written) & {*export.EDF_KEYS.values(), "DetectorName", "Dummy"}
    with h5py.File(tmp_path / "healed.h5") as file:
        assert set(file["entry/instrument"]) == {"detector"}
        assert set(file["entry/instrument/detector"]) == {"data", "pixel_mask"}


def test_an_edf_header_holds_any_name_and_its_keys(tmp_path):
    healed = np.arange(4, dtype=np.float32).reshape(2, 2)
    hostile = {**RECORD, "source": {"file": "Zürich {1}; a = b\n}.tif", "sha256": "1f" * 32}}
    export.write_edf(tmp_path / "healed.edf", healed, hostile, KNOWN._replace(detector="S/N {7};\n"))
    with fabio.open(str(tmp_path / "healed.edf")) as edf:
        assert (edf.data == healed).all()
        assert edf.header["Title"] == "Z?rich ?1?? a = b??.tif, healed"
        assert edf.header["DetectorName"] == "S/N ?7???"
        assert edf.header["SourceSHA256"] == "1f" * 32
        assert edf.header["Method"] == "method=dip, lr=0.01"
        said = edf.header["Note"]
        assert "4 pixels are estimates by the method dip," in said and "how well 3 of them are healed" in said
        assert "5 are censored" in said and "flags.tif" in said and "?" not in said
        assert [edf.header[key] for key in ("PSize_1", "PSize_2")] == ["7.5e-05", "0.000172"]
        assert [edf.header[key] for key in ("Center_1", "Center_2")] == ["23.75", "32.0"]


def test_pyfai_integrates_the_files(tmp_path):
    """The pattern is isotropic, so that the expected I(q) is known where it counts and where it does not."""
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    shape, centre, pixel = (120, 100), (47.25, 58.5), 172e-6
    radius, _ = radius_and_azimuth(shape, centre)
    expected = 3 + 900 * np.exp(-0.5 * ((radius - 30) / 3) ** 2)
    measured = np.random.default_rng(0).poisson(expected).astype(np.float32)
    reasons = np.zeros(shape, np.uint16)
    reasons[50:57] = GAP
    reasons[radius < 8] |= BEAMSTOP
    reasons[20, 40] = HOT_OR_DEAD
    measured[reasons > 0] = 0
    model = (1.1 * expected).astype(np.float32)
    healed = np.where(reasons > 0, model, measured)
    geometry = KNOWN._replace(pixel_size=(pixel, pixel), beam_centre=centre)
    export.write_edf(tmp_path / "healed.edf", healed, RECORD, geometry)
    write_hdf5(tmp_path / "healed.h5", healed, model, reasons, RECORD, geometry)

    edf = fabio.open(str(tmp_path / "healed.edf"))
    spd = ("SampleDistance", "Center_1", "Center_2", "PSize_1", "PSize_2", "WaveLength")
    integrator = AzimuthalIntegrator().setSPD(**{key: float(edf.header[key]) for key in spd})
    # pyFAI sees the beam where the simulation put it, to a fraction of a pixel.
    assert np.allclose(integrator.array_from_unit(shape, "center", "r_m") / pixel, radius, atol=1e-4)
    with h5py.File(tmp_path / "healed.h5") as file:
        detector = file["entry/instrument/detector"]
        assert integrator.poni2 == detector["beam_center_x"][()] * detector["x_pixel_size"][()]
        rejected = detector["pixel_mask"][()] & 0xFFFF > 0

    def profile(image, mask):
        result = integrator.integrate1d(image, 60, mask=mask, unit="q_nm^-1", method=("no", "histogram", "cython"))
        return result.intensity

    masked = profile(edf.data, rejected)
    assert (masked == profile(measured, reasons)).all()
    # pyFAI makes any mask int8, in which bit 8 is lost: it takes the reasons as they are, not pixel_mask.
    storage.write_tiff(tmp_path / "reasons.tif", reasons)
    for file in ("reasons.tif", "healed.h5::/entry/data/reasons"):
        mask = fabio.open(f"{tmp_path}/{file}").data
        assert mask.dtype == np.uint16 and (masked == profile(edf.data, mask)).all()
    for reason in REASONS:
        # The ninth bit would be lost alone.
        bits = reason.bit | (OUTSIDE if reason.bit == UNMEASURED else 0)
        assert (masked == profile(edf.data, np.where(reasons > 0, bits, 0))).all(), f"pyFAI loses {reason.name}"
    # Without the mask the estimates, here 10 % too bright, take part: near, but no measurement.
    known = masked > 0
    unmasked = profile(edf.data, None)
    assert (unmasked[known] != masked[known]).any()
    assert np.abs(unmasked[known] / masked[known] - 1).max() < 0.1
