"""Frames inside HDF5: NeXus and Eiger tell which dataset is meant; pixels that are not there are never zeros."""

import h5py
import hdf5plugin
import numpy as np
import pytest

from scatterheal.errors import ScanError
from scatterheal.pattern.geometry import Geometry
from scatterheal.reading.frames import count_frames, read_frame, read_mask


def write_eiger(folder, frames_per_file=(2, 1), linked=True, **data):
    """A master file with a header and external links to bitshuffle-LZ4 data files, as Dectris' writer does."""
    largest = np.iinfo(np.uint32).max
    number = 0
    master = folder / "scan_master.h5"
    with h5py.File(master, "w") as file:
        file.create_group("entry/data").attrs["NX_class"] = "NXdata"
        detector = file.create_group("entry/instrument/detector")
        detector.attrs["NX_class"] = "NXdetector"
        detector["description"] = "Dectris EIGER2 Si 1M"
        for name, value, units in (
            ("count_time", 0.5, "s"),
            ("x_pixel_size", 75e-6, "m"),
            ("y_pixel_size", 0.075, "mm"),
            ("detector_distance", 350, "mm"),
            ("beam_center_x", 12.5, "pixel"),
            ("beam_center_y", 0.0015, "m"),
            ("saturation_value", 4, None),
        ):
            detector[name] = value
            if units:
                detector[name].attrs["units"] = units
        detector["detectorSpecific/pixel_mask"] = np.uint32([[0, 1, 0, 0], [0, 0, 1 << 31, 1 << 16]])
        file["entry/instrument/beam/incident_wavelength"] = 1.54
        for n, count in enumerate(frames_per_file, 1):
            name = f"scan_data_{n:06d}.h5"
            if linked:
                stack = np.zeros((count, 2, 4), np.uint32)
                for i in range(count):
                    stack[i] = [[number, 1, largest, 0], [largest - 1, 2, number + 2, largest - 2]]
                    number += 1
                with h5py.File(folder / name, "w") as part:
                    part.create_dataset("entry/data/data", data=stack, chunks=(1, 2, 4), **hdf5plugin.Bitshuffle())
            file[f"entry/data/data_{n:06d}"] = h5py.ExternalLink(name, "/entry/data/data")
    return master


def refusal(path, *args, **kwargs):
    """The one line with which a file is refused, without its name."""
    with pytest.raises(ScanError) as refused:
        read_frame(path, *args, **kwargs)
    line = str(refused.value)
    assert line.startswith(f"{path}: ") and "\n" not in line
    return line.removeprefix(f"{path}: ")


def test_an_eiger_master_leads_through_its_files(tmp_path):
    master = write_eiger(tmp_path)
    assert count_frames(master) == 3
    last = read_frame(master, frame=2)
    np.testing.assert_array_equal(last.counts, [[2, 1, -1, 0], [-2, 2, 4, -3]])
    np.testing.assert_array_equal(last.missing, [[0, 1, 0, 0], [0, 0, 1, 0]])
    header = Geometry(0.5, (75e-6, 75e-6), 1.54e-10, 0.35, (12.0, 19.5), 4.0, "Dectris EIGER2 Si 1M")
    assert last.header.detector == header.detector
    np.testing.assert_allclose(np.hstack(last.header[:-1]), np.hstack(header[:-1]))
    # In the sum a pixel that was saturated in one frame is unmeasured, whatever the other frames hold.
    total = read_frame(master, frame="sum")
    np.testing.assert_array_equal(total.counts, [[3, 3, -1, 0], [-2, 6, 9, -3]])
    np.testing.assert_array_equal(total.missing, [[0, 1, 0, 0], [0, 0, 1, 0]])
    assert total.header.exposure_time == 1.5 and total.header.count_cutoff is None
    # One of the numbered datasets alone.
    np.testing.assert_array_equal(read_frame(master, "/entry/data/data_000002").counts, last.counts)
    np.testing.assert_array_equal(read_frame(tmp_path / "scan_data_000001.h5", frame=1).counts[0], [1, 1, -1, 0])


def test_a_master_file_without_its_data_files_names_them(tmp_path):
    master = write_eiger(tmp_path, linked=False)
    line = (
        "data: '/entry/data/data_000001' lies in the file scan_data_000001.h5, which is missing; put it beside this one"
    )
    assert refusal(master) == refusal(master, "/entry/data/data_000001") == line


def test_nexus_defaults_tell_which_dataset_is_meant(tmp_path):
    path = tmp_path / "a.nxs"
    with h5py.File(path, "w") as file:
        for key in ("first", "second"):
            data = file.create_group(f"{key}/plot")
            data.attrs.update(NX_class="NXdata", signal="values")
            data["values"], data["errors"] = np.full((1, 1, 4, 5), len(key)), np.ones((4, 5))
            file[key].attrs["NX_class"] = "NXentry"
    # Two entries and no default: nothing is guessed.
    assert refusal(path).startswith("data: holds several images; say which: /first/plot/errors (4, 5), /first/plot/val")
    with h5py.File(path, "a") as file:
        file.attrs["default"] = "second"
    assert read_frame(path).counts.tolist() == np.full((4, 5), 6).tolist()
    assert read_frame(path, "first/plot/values").counts[0, 0] == 5
    assert refusal(path, "/second/x") == (
        "data: it has no '/second/x'; it has: /first/plot/errors (4, 5), /first/plot/values (1, 1, 4, 5), "
        "/second/plot/errors (4, 5), /second/plot/values (1, 1, 4, 5)"
    )
    assert refusal(path, "/second/plot").startswith("data: '/second/plot' is no image; it has: /first/plot/errors (4, ")
    with h5py.File(path, "a") as file:
        file.attrs["default"] = "."
    assert refusal(path).startswith("data: holds several images")


def test_a_virtual_dataset_without_its_source_is_refused(tmp_path):
    """HDF5 itself reads zeros there, as it does for chunks that were never written."""
    path = tmp_path / "a.h5"
    layout = h5py.VirtualLayout((2, 4, 5), "i4")
    layout[0] = h5py.VirtualSource("part.h5", "data", (4, 5))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("cut", (2, 4, 5), "i4", chunks=(1, 2, 5))[0] = 1
    assert "lies in the file part.h5, which is missing" in refusal(path, "virtual", 0)
    assert read_frame(path, "cut", 0).counts.all()
    assert "'/cut' has pixels that were never written at [1]; copy the file again" in refusal(path, "cut", 1)
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["data"] = np.full((4, 5), 7)
    assert read_frame(path, "virtual", 0).counts.tolist() == np.full((4, 5), 7).tolist()


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
def test_what_a_virtual_dataset_takes_from_nowhere_is_missing(tmp_path, dtype):
    """Two modules with a gap, each frame in another place of the files; a third file has every other frame."""
    modules = np.arange(1, 121).reshape(3, 2, 4, 5).astype(dtype)
    for number, name in enumerate(("m0.h5", "m1.h5")):
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset("d", data=modules[:, number], chunks=(1, 4, 5))
    layout = h5py.VirtualLayout((3, 10, 7), dtype)
    layout[:, :4, :5] = h5py.VirtualSource(tmp_path / "m0.h5", "d", (3, 4, 5))
    layout[0:3:2, 6:, 2:] = h5py.VirtualSource("m1.h5", "d", (3, 4, 5))[0:3:2]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_virtual_dataset("v", layout)
        again = h5py.VirtualLayout((10, 7), dtype)
        again[...] = h5py.VirtualSource(file["v"])[2]
        file.create_virtual_dataset("of_it", again)
    for frame in range(3):
        right = np.full((10, 7), -1)
        right[:4, :5] = modules[frame, 0]
        if frame != 1:
            right[6:, 2:] = modules[frame, 1]
        counts = read_frame(tmp_path / "a.h5", "v", frame).counts
        np.testing.assert_array_equal(np.where(np.isnan(counts), -1, counts), right)
    np.testing.assert_array_equal(read_frame(tmp_path / "a.h5", "of_it").counts, counts)


def test_a_source_that_was_never_finished_is_refused_where_it_is_needed(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("d", (2, 48, 96), "i4", chunks=(1, 24, 96))[0] = 1
        file["d"][1, :24] = 1
    for source, wrong in (("d", "'/d' has pixels that were never written at [1]"), ("none", "no such dataset")):
        layout = h5py.VirtualLayout((2, 48, 96), "i4")
        layout[...] = h5py.VirtualSource("m.h5", source, (2, 48, 96))
        upper = h5py.VirtualLayout((2, 24, 96), "i4")
        upper[...] = h5py.VirtualSource("m.h5", source, (2, 48, 96))[:, :24]
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_virtual_dataset("v", layout)
            file.create_virtual_dataset("upper", upper)
        assert wrong in refusal(tmp_path / "a.h5", "v", 1)
        if source == "d":
            assert (read_frame(tmp_path / "a.h5", "v", 0).counts == 1).all()
            assert (read_frame(tmp_path / "a.h5", "upper", 1).counts == 1).all()


def test_a_virtual_dataset_that_grows_can_be_read(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("d", data=np.full((3, 4, 5), 7, "i4"), chunks=(1, 4, 5), maxshape=(None, 4, 5))
    layout = h5py.VirtualLayout((3, 4, 5), "i4", maxshape=(None, 4, 5))
    layout[: h5py.h5s.UNLIMITED] = h5py.VirtualSource("m.h5", "d", (3, 4, 5), maxshape=(None, 4, 5))[
        : h5py.h5s.UNLIMITED
    ]
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("v", layout)
    assert (read_frame(tmp_path / "a.h5", "v", 2).counts == 7).all()


def test_a_mask_inside_hdf5(tmp_path):
    master = write_eiger(tmp_path)
    mask = read_mask(master, "nonzero_is_missing", "/entry/instrument/detector/detectorSpecific/pixel_mask")
    assert mask.tolist() == [[False, True, False, False], [False, False, True, True]]


def test_a_master_names_the_files_that_hold_its_frames(tmp_path):
    from scatterheal.reading.hdf5 import linked_files

    master = write_eiger(tmp_path)
    names = [path.name for path in linked_files(master)]
    assert names == sorted(path.name for path in tmp_path.glob("scan_data_*.h5")) and names
    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    assert linked_files(tmp_path / "a.npy") == []
