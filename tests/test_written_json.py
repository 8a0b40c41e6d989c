"""What a scan's JSON files hold: read and written again they are the same bytes; earlier results stay readable."""

import json

import numpy as np
import pytest

from scatterheal.pattern.meaning import Meaning
from scatterheal.storage import read_json, write_json

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
