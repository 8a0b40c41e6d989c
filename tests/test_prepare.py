"""From a scan's file to its mask: what the file, its YAML and a geometry file say ends up where it belongs."""

import json
import re

import h5py
import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from scatterheal import storage
from scatterheal.app import simulate
from scatterheal.errors import ScanError
from scatterheal.pattern.found import Found
from scatterheal.pattern.geometry import Geometry
from scatterheal.pattern.meaning import Meaning
from scatterheal.pattern.pixels import BEAMSTOP, GAP, HOT_OR_DEAD, UNREADABLE, USER
from scatterheal.pipeline import prepare
from scatterheal.reading.crop import Crop
from scatterheal.reading.detectors import detector_gaps
from scatterheal.reading.plot_area import Box
from scatterheal.settings.models import Colour, Mask
from scatterheal.settings.reading import read_scan

PONI = "PixelSize1: 1e-4\nPixelSize2: 1e-4\nDistance: 2\nPoni1: 0.003\nPoni2: 0.004\nRot1: 0\nRot2: 0\nRot3: 0\n"
NOTHING_FOUND = {
    **dict.fromkeys(("beamstop", "holder", "outside"), "none"),
    "stripes": dict.fromkeys(("horizontal", "vertical"), "none"),
}


def flat(shape=(70, 90)):
    return np.random.default_rng(0).poisson(20, shape).astype(np.int32)


@pytest.fixture
def scan(tmp_path):
    """Write a frame and a YAML beside it; the validated scan."""

    def write(image, **said):
        tifffile.imwrite(tmp_path / "a.tif", image)
        (tmp_path / "a.yaml").write_text(yaml.safe_dump({"image": "a.tif", "kind": "frame", **said}))
        return read_scan(tmp_path / "a.yaml")

    return write


def by_the_rules(scan):
    """The mask as the rules make it, through crop.json and intensity.json."""
    cropped = prepare.check(scan)
    crop = Crop.from_json(json.loads(json.dumps(cropped.crop.to_json())))
    found = prepare.intensity_of(cropped.image, crop, scan.colour)
    meaning = Meaning.from_json(json.loads(json.dumps(found.meaning.to_json())))
    mask = Mask.model_validate(scan.mask.model_dump(mode="json"))
    centre = None if scan.centre == "auto" else scan.centre
    reasons = prepare.reasons_of(found._replace(meaning=meaning), crop, mask, scan.detector, centre, scan.poni)
    return reasons._replace(found=Found.from_json(json.loads(json.dumps(reasons.found.to_json()))))


@pytest.mark.parametrize("file", ["demo_saxs", "demo_waxs"])
def test_all_at_once_is_what_the_rules_make_one_by_one(file, tmp_path):
    image = tmp_path / "a.tif"
    if file == "demo_saxs":
        image = tmp_path / "a.png"
        Image.fromarray(simulate.demo_figure()[0]).save(image)
    else:
        storage.write_tiff(image, simulate.demo_frame()[0])
    said = (
        {"kind": "frame"} if file == "demo_waxs" else {"kind": "figure", "colour": {"range": [0, 3], "scale": "log10"}}
    )
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"image": image.name, **said}))
    scan = read_scan(tmp_path / "a.yaml")
    one_by_one, at_once = by_the_rules(scan), prepare.prepare(scan).reasons
    np.testing.assert_array_equal(one_by_one.reasons, at_once.reasons)
    assert one_by_one.found == at_once.found


def test_coordinates_are_those_of_the_cropped_image(scan, tmp_path):
    """A geometry file, whose beam is at 39.5, 29.5, and a detector's gaps belong to the whole frame."""
    (tmp_path / "a.poni").write_text(PONI)
    frame = flat((195, 487))
    reasons = by_the_rules(
        scan(
            frame,
            crop=[10, 20, 80, 60],
            poni="a.poni",
            mask={**NOTHING_FOUND, "user": {"rectangle": [1, 2, 4, 6]}},
        )
    )
    assert reasons.found.beam_centre == pytest.approx((29.5, 9.5))
    assert np.argwhere(reasons.reasons == USER).min(axis=0).tolist() == [2, 1]
    assert (reasons.reasons > 0).sum() == 3 * 4
    gaps = detector_gaps("Pilatus300k", (619, 487))
    frame = flat((619, 487))
    frame[gaps] = 0
    box = [100, 190, 200, 230]
    reasons = by_the_rules(scan(frame, crop=box, detector="Pilatus300k", centre=[9, 9], mask=NOTHING_FOUND))
    np.testing.assert_array_equal(reasons.reasons == GAP, gaps[190:230, 100:200])


def test_a_detector_is_told_by_its_frame_or_named_or_left_out(scan):
    gaps = detector_gaps("Pilatus300k", (619, 487))
    frame = flat((619, 487))
    frame[gaps] = 0
    for name, found in (("auto", "Pilatus300k"), ("Pilatus300k", "Pilatus300k"), ("none", None)):
        reasons = by_the_rules(scan(frame, detector=name, centre=[9, 9], mask=NOTHING_FOUND))
        told = reasons.found.detector
        assert (told.name if name == "auto" else told) == (found or "none")
        assert ((reasons.reasons == GAP) == (gaps if found else False)).all()


def test_what_a_file_says_of_its_pixels_is_believed(tmp_path):
    counts = flat((40, 50))
    counts[3, 4] = 900
    bad = np.zeros(counts.shape, np.uint32)
    bad[7, 8] = 1
    with h5py.File(tmp_path / "a.h5", "w") as file:
        detector = file.create_group("entry/instrument/detector")
        file["entry/instrument"].attrs["NX_class"] = "NXinstrument"
        detector.attrs["NX_class"] = "NXdetector"
        detector["data"], detector["pixel_mask"], detector["saturation_value"] = counts, bad, 900
        detector["beam_center_x"], detector["beam_center_y"] = 20.5, 30.5
    said = {"image": "a.h5", "kind": "frame", "data": "/entry/instrument/detector/data", "mask": NOTHING_FOUND}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(said))
    scan = read_scan(tmp_path / "a.yaml")
    reasons = by_the_rules(scan)
    assert {tuple(pixel): reasons.reasons[tuple(pixel)] for pixel in np.argwhere(reasons.reasons)} == {
        (3, 4): UNREADABLE,
        (7, 8): HOT_OR_DEAD,
    }
    geometry = prepare.geometry_of(prepare.check(scan).crop, None)
    assert geometry.count_cutoff == 900


def test_a_geometry_file_knows_better_than_the_header_but_not_what_it_leaves_out(tmp_path):
    (tmp_path / "a.poni").write_text(PONI)
    header = Geometry(beam_centre=(1, 2), wavelength=1.1e-10, distance=7.0, exposure_time=0.5)
    crop = Crop((70, 90), Box(10, 20, 80, 60), header=header)
    geometry = prepare.geometry_of(crop, tmp_path / "a.poni")
    assert geometry.beam_centre == pytest.approx([29.5, 9.5])
    assert geometry.distance == pytest.approx(2)
    assert (geometry.wavelength, geometry.exposure_time) == (1.1e-10, 0.5)
    assert prepare.geometry_of(crop, None).beam_centre == (-9, -18)
    assert prepare.geometry_of(crop._replace(header=None), None) == Geometry()


def test_a_given_centre_is_where_the_beamstop_is_looked_for(scan):
    rows, columns = np.indices((90, 110))
    radius = np.hypot(rows - 40, columns - 60)
    counts = np.random.default_rng(0).poisson(np.where(radius < 9, 0, 4000 / (radius + 9)))
    stripe = {"vertical": [[100, 104]]}
    reasons = by_the_rules(scan(counts.astype(np.int32), centre=[60, 40], mask={"stripes": stripe}))
    assert reasons.found.centre == (60, 40, "given", None)
    assert ((reasons.reasons & BEAMSTOP > 0) == (radius < 9)).mean() > 0.995


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"detector": "Pilatus2Mm"}, "detector: pyFAI knows no 'Pilatus2Mm'; did you mean pilatus2m"),
        ({"mask": {"user": {"circle": [80, 5, 20]}}}, "mask.user: it reaches from (60, -15) to (100, 25), outside the"),
        (
            {"mask": {"file": "t.npy", "mask_convention": "zero_is_missing"}},
            "is not the cropped image's (70, 90); tran",
        ),
        ({"mask": {"file": "a.yaml", "mask_convention": "zero_is_missing"}}, "a.yaml: cannot be read ("),
        ({"poni": "a.yaml"}, "a.yaml: cannot be read ("),
        ({"crop": [0, 0, 90, 71]}, "crop: [0, 0, 90, 71] reaches outside the image of 90 x 70 pixels; correct it"),
        ({"frame": 1}, "frame: 1 is not among its frames 0..0; correct it"),
        ({"truth": "t.npy"}, "crop: [0, 0, 90, 70] reaches outside the image of 70 x 90 pixels"),
    ],
)
def test_what_does_not_fit_the_scan_is_known_before_any_job_starts(scan, tmp_path, said, words):
    np.save(tmp_path / "t.npy", flat().T)
    with pytest.raises(ScanError) as refused:
        prepare.check(scan(flat(), **said))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("background", [7.5, 19])
def test_a_frame_of_which_a_background_was_subtracted_is_refused(scan, background):
    frame = (flat() - background).astype(np.float32)
    negative = frame[(frame < 0) & (frame != -1) & (frame != -2)]
    words = f"{negative.size} pixels are negative, down to {negative.min():g}, and no codes, as where a background was"
    with pytest.raises(ScanError, match=words) as refused:
        prepare.check(scan(frame))
    assert "a.tif: " in str(refused.value) and "\n" not in str(refused.value)


def test_whole_negative_numbers_are_codes_where_they_are_few(scan):
    frame = flat()
    frame[0, :4] = -1, -2, -7, -(2**31)
    reasons = by_the_rules(scan(frame, centre=[9, 9], mask=NOTHING_FOUND)).reasons
    assert (reasons[0, :4] == GAP).all() and (reasons > 0).sum() == 4


@pytest.mark.parametrize(
    ("factor", "says"),
    [(1, "counts of the file$"), (0.25, r"values of the file, 7\S* % of them not whole, taken as counts: ")],
)
def test_values_that_are_not_whole_are_counts_with_a_reservation(scan, factor, says):
    frame = (flat() * np.float32(factor)).astype(np.float32)
    frame[:10] = -1
    meaning = prepare.intensity_of(*prepare.check(scan(frame)), Colour()).meaning
    not_whole = (frame != np.round(frame))[10:].mean()
    assert meaning.unit == "counts" and meaning.not_whole_share == pytest.approx(not_whole)
    assert re.match(says, meaning.how)


@pytest.mark.parametrize(
    ("colour", "words"),
    [
        ({"map": "jett"}, "colour.map: there is no map 'jett'; use colourbar"),
        ({"map": "colourbar"}, "colour.map: no colour bar found beside the plot; name the map, or write luminance"),
    ],
)
def test_colours_that_cannot_be_known_are_refused_at_once(tmp_path, colour, words):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)).save(tmp_path / "a.png")
    said = {"image": "a.png", "kind": "figure", "crop": [0, 0, 80, 60], "colour": colour}
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(said))
    with pytest.raises(ScanError) as refused:
        prepare.check(read_scan(tmp_path / "a.yaml"))
    assert words in str(refused.value)


def test_codes_that_were_multiplied_with_the_counts_are_codes(scan):
    frame = flat().astype(np.float32)
    frame[30:34] = -1
    frame *= np.float32(0.37)
    assert (prepare.check(scan(frame)).image[30:34] < 0).all()
    frame[40, :9] = -0.37 * np.arange(3, 12)
    with pytest.raises(ScanError, match="and no codes"):
        prepare.check(scan(frame))
