"""What a scan's JSON files hold: read and written again they are the same bytes; earlier results stay readable."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scatterheal.pattern.found import Found
from scatterheal.pattern.geometry import Geometry
from scatterheal.pattern.meaning import Meaning
from scatterheal.reading.crop import Crop
from scatterheal.reading.plot_area import BarLabels, Box
from scatterheal.storage import as_json, read_json, write_json

# From results of earlier versions: demo_waxs, demo_saxs (its table of 256 colours cut short), a figure without a bar.
MEANINGS = [
    """{
  "unit": "counts",
  "how": "counts of the file",
  "not_whole_share": 0.0
}
""",
    """{
  "unit": "counts",
  "how": "colours inverted through the figure's colour bar",
  "limits": [
    0.0,
    3.0
  ],
  "scale": "log10",
  "table": {
    "colours": [
      [
        0,
        0,
        127
      ],
      [
        127,
        0,
        0
      ]
    ],
    "edges": [
      0.0,
      0.00390625,
      1.0
    ]
  },
  "off_share": 0.015929798813673332,
  "clipped_low_share": 0.2620008561120284,
  "clipped_high_share": 0.0,
  "residual_median": 0.0,
  "tolerance": 3.0
}
""",
    """{
  "unit": "colours",
  "how": "luminance of the colours, which does not rise with intensity on maps such as jet"
}
""",
]


@pytest.mark.parametrize("text", MEANINGS)
def test_intensity_json_is_read_and_written_to_the_byte(text, tmp_path):
    (tmp_path / "intensity.json").write_text(text)
    meaning = Meaning.from_json(read_json(tmp_path / "intensity.json"))
    write_json(tmp_path / "again.json", meaning.to_json())
    assert (tmp_path / "again.json").read_text() == text


def test_a_colour_table_comes_back_in_its_own_types():
    meaning = Meaning.from_json(json.loads(MEANINGS[1]))
    table = meaning.colour_scale.table
    assert (table.colours.dtype, table.edges.dtype) == (np.uint8, np.float64)
    assert table.edges.tolist() == [0.0, 0.00390625, 1.0]
    assert (meaning.limits, Meaning.from_json(json.loads(MEANINGS[0])).limits) == ((0.0, 3.0), None)


# demo_saxs (its colour bar cut short), HDPE_85_low.
CROPS = [
    """{
  "asked": {
    "kind": "figure",
    "data": null,
    "frame": null,
    "crop": "auto"
  },
  "sha256": "e4a96858fa4afa99539533c40e84ab53b6045c7be731506af6a53364065a8a0f",
  "whole": [
    240,
    344
  ],
  "box": {
    "left": 53,
    "top": 36,
    "right": 260,
    "bottom": 194
  },
  "colour_bar": [
    [
      0,
      0,
      120
    ],
    [
      129,
      0,
      0
    ]
  ],
  "bar_labels": {
    "limits": null,
    "scale": null
  },
  "header": null,
  "detector": null
}
""",
    """{
  "asked": {
    "kind": "frame",
    "data": null,
    "frame": null,
    "crop": "auto"
  },
  "sha256": "9e5bd47c2e80f0012fe28c021086785c84037ecbdc8102668e25113f289fadab",
  "whole": [
    1679,
    1475
  ],
  "box": {
    "left": 0,
    "top": 0,
    "right": 1475,
    "bottom": 1679
  },
  "colour_bar": null,
  "bar_labels": {
    "limits": null,
    "scale": null
  },
  "header": {
    "exposure_time": null,
    "pixel_size": null,
    "wavelength": null,
    "distance": null,
    "beam_centre": null,
    "count_cutoff": null,
    "detector": null
  },
  "detector": {
    "name": "Pilatus2M",
    "sure": "its 197365 gap pixels hold nothing, 34.4 % of those beside them"
  }
}
""",
]


@pytest.mark.parametrize("text", CROPS)
def test_crop_json_is_read_and_written_to_the_byte_with_what_was_asked(text, tmp_path):
    (tmp_path / "crop.json").write_text(text)
    plain = read_json(tmp_path / "crop.json")
    asked = {"asked": plain["asked"], "sha256": plain["sha256"]}
    write_json(tmp_path / "again.json", {**asked, **Crop.from_json(plain).to_json()})
    assert (tmp_path / "again.json").read_text() == text


NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
PAIRS = st.none() | st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2)


@given(st.builds(Geometry, NUMBERS, PAIRS, NUMBERS, NUMBERS, PAIRS, NUMBERS, st.none() | st.text()), PAIRS)
def test_what_a_header_says_comes_back_from_json(geometry, limits):
    crop = Crop((8, 9), Box(1, 2, 9, 8), bar_labels=BarLabels(limits, "log10"), header=geometry)
    back = Crop.from_json(json.loads(as_json(crop.to_json())))
    assert back == crop
    assert type(back.header) is Geometry and type(back.box) is Box


# demo_waxs (its holder's outline cut short), demo_saxs' centre with a shadow, HDPE_85_low, and a scan without a centre.
FOUND = [
    """{
  "centre": {
    "x": 83.93452909894668,
    "y": 92.98191242146594,
    "sd": 0.05142116218863074,
    "how": "symmetry"
  },
  "parts": [
    {
      "part": "beamstop",
      "looks": "a dark disc round the beam centre",
      "centre": [
        84.07,
        93.08
      ],
      "radius": 9.54,
      "transmission": 0.0,
      "evidence": 1312.1,
      "pixels": 286
    },
    {
      "part": "holder",
      "looks": "a straight dark band from the beam centre",
      "polygon": [
        [
          84.0,
          89.0
        ],
        [
          -1.4,
          89.0
        ],
        [
          84.2,
          97.0
        ]
      ],
      "transmission": 0.0,
      "evidence": 270.0,
      "runner_up": 11.5,
      "pixels": 527
    }
  ],
  "detector": null
}
""",
    """{
  "centre": {
    "x": 102.01651973415493,
    "y": 82.03843025976812,
    "sd": 0.09943915329722869,
    "how": "symmetry"
  },
  "parts": [
    {
      "part": "outside",
      "looks": "a region with sharp edges, darker than what is beside it",
      "box": [
        0,
        0,
        40,
        30
      ],
      "transmission": 0.03,
      "evidence": 812.5,
      "pixels": 1200
    }
  ]
}
""",
    """{
  "centre": {
    "x": 716.25,
    "y": 692.5,
    "how": "given"
  },
  "parts": [],
  "detector": "Pilatus2M"
}
""",
    """{
  "centre": {
    "problem": "centre: not found; give centre: [x, y]"
  },
  "parts": [],
  "detector": {
    "name": "Pilatus2M",
    "sure": "its 197365 gap pixels hold nothing, 34.4 % of those beside them"
  }
}
""",
]


@pytest.mark.parametrize("text", FOUND)
def test_found_json_is_read_and_written_to_the_byte(text, tmp_path):
    (tmp_path / "found.json").write_text(text)
    found = Found.from_json(read_json(tmp_path / "found.json"))
    write_json(tmp_path / "again.json", found.to_json())
    assert (tmp_path / "again.json").read_text() == text


def test_what_was_found_is_told_apart():
    found, shadow, given, nowhere = (Found.from_json(json.loads(text)) for text in FOUND)
    assert [one.kind for one in (found, shadow, given, nowhere)] == ["frame", "figure", "frame", "frame"]
    assert found.beam_centre == found.sure_beam_centre == (83.93452909894668, 92.98191242146594)
    assert (given.sure_beam_centre, nowhere.beam_centre, nowhere.sure_beam_centre) == ((716.25, 692.5), None, None)
    assert (shadow.detector, given.detector, nowhere.detector.name) == (None, "Pilatus2M", "Pilatus2M")
    unsure = found._replace(centre=found.centre._replace(sd=3.1))
    assert unsure.beam_centre == found.beam_centre and unsure.sure_beam_centre is None
