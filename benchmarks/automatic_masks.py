"""How often beamstop, holder and shadows are found where there are some, and where there are none, on simulated scans.

python benchmarks/automatic_masks.py [SCANS]

Prints two Markdown tables, with SCANS (default 10; twice as many where nothing is hidden) simulated scans behind each
row. Sizes (200 to 320 pixels a side), mean counts (0.3 to 1000 per pixel), the pattern's parameters and where the beam
is are drawn at random, from the same seeds in every run; every second scan gets a beam centre that is 2 pixels wrong.
"""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from scatterheal.app.simulate import Expected, radius_and_azimuth, ring
from scatterheal.mask.parts import Parts, find_parts

Random = np.random.Generator
Missing = NDArray[np.bool_]
# The first seed: none from here on was looked at while the thresholds were chosen.
FIRST = 1000
# A scan counts as found when what is masked and what is hidden overlap this much.
FOUND = 0.5


def fall_off(radius: Expected, chi: Expected, random: Random) -> Expected:
    """Beam's tail and a background."""
    return 0.3 + (1 + radius / random.uniform(4, 20)) ** -random.uniform(1, 2.5) * 20


def steep(radius: Expected, chi: Expected, random: Random) -> Expected:
    """Porod's law above next to no background."""
    return 1e-3 + (1 + (radius / random.uniform(2, 6)) ** 2) ** -2 * 1e3


def powder(radius: Expected, chi: Expected, random: Random) -> Expected:
    """Sharp rings on a background."""
    out = fall_off(radius, chi, random)
    for at in random.uniform(0.1, 1, 5) * radius.max() * 0.7:
        out += ring(radius, chi, at, random.uniform(0.8, 4), random.uniform(0.5, 10), 0)
    return out


def arcs(radius: Expected, chi: Expected, random: Random, folds: int = 1) -> Expected:
    """Rings gathered in 2 arcs, or 4, on a halo."""
    turned = folds * (chi + random.uniform(0, np.pi))
    out = fall_off(radius, chi, random)
    for at in random.uniform(0.15, 1, 3) * radius.max() * 0.6:
        out += ring(radius, turned, at, random.uniform(1, 5), random.uniform(1, 20), random.uniform(1, 20))
    return out


def four_arcs(radius: Expected, chi: Expected, random: Random) -> Expected:
    """Rings gathered in four arcs."""
    return arcs(radius, chi, random, 2)


def lobes(radius: Expected, chi: Expected, random: Random) -> Expected:
    """The long period of a drawn polymer: two lobes with next to nothing between them and the beam."""
    size = radius.max()
    turned = chi + random.uniform(0, np.pi)
    lobe = ring(radius, turned, random.uniform(0.12, 0.4) * size, random.uniform(0.02, 0.08) * size, 5, 3)
    return random.choice([0.02, 0.3]) + lobe + random.choice([0, 20]) * np.exp(-radius / 8)


def streak(radius: Expected, chi: Expected, random: Random) -> Expected:
    """An equatorial streak."""
    turned = chi + random.uniform(0, np.pi)
    across, along = radius * np.sin(turned), np.abs(radius * np.cos(turned))
    width = random.uniform(1.5, 8) * (1 + along / random.uniform(50, 500))
    thin = np.exp(-0.5 * (across / width) ** 2) * np.exp(-along / random.uniform(20, 150))
    return fall_off(radius, chi, random) + random.uniform(2, 30) * thin


def empty_middle(radius: Expected, chi: Expected, random: Random) -> Expected:
    """A correlation peak: a wide ring with little inside."""
    at = random.uniform(0.06, 0.4) * radius.max()
    return random.choice([0.01, 0.1]) + ring(radius, chi, at, random.uniform(0.15, 0.35) * at, 5, 0)


def spots(radius: Expected, chi: Expected, random: Random) -> Expected:
    """Bragg spots on a smooth background."""
    out = fall_off(radius, chi, random)
    x, y = radius * np.cos(chi), radius * np.sin(chi)
    for _ in range(40):
        at = random.uniform((x.min(), y.min()), (x.max(), y.max()))
        out += random.exponential(40) * np.exp(-0.5 * (np.hypot(x - at[0], y - at[1]) / random.uniform(0.8, 3)) ** 2)
    return out


def dark_sector(radius: Expected, chi: Expected, random: Random) -> Expected:
    """Scattering everywhere but in a narrow sector on both sides of the beam."""
    turned = chi + random.uniform(0, np.pi)
    return fall_off(radius, chi, random) * (
        1 - random.uniform(0.3, 0.9) * np.abs(np.cos(turned)) ** random.uniform(4, 90)
    )


def dark_between(radius: Expected, chi: Expected, random: Random) -> Expected:
    """Two strong rings with a wide dark background between them."""
    inner = random.uniform(0.1, 0.25) * radius.max()
    outer = inner + random.uniform(0.15, 0.4) * radius.max()
    both = [ring(radius, chi, at, random.uniform(1, 6), 20, random.choice([0, 2])) for at in (inner, outer)]
    return random.choice([0.05, 0.5]) + both[0] + both[1]


def halo(radius: Expected, chi: Expected, random: Random) -> Expected:
    """An amorphous halo."""
    at = random.uniform(0.2, 0.5) * radius.max()
    return 0.5 + ring(radius, chi, at, 0.3 * at, 5, 0) + 10 * np.exp(-radius / random.uniform(5, 30))


PATTERNS: dict[str, Callable[[Expected, Expected, Random], Expected]] = {
    "fall-off with background": fall_off,
    "steep fall-off, empty beyond": steep,
    "powder rings": powder,
    "two arcs": arcs,
    "four arcs": four_arcs,
    "lobes": lobes,
    "streak": streak,
    "ring with an empty middle": empty_middle,
    "halo": halo,
    "Bragg spots": spots,
    "dark sector on both sides": dark_sector,
    "dark between two rings": dark_between,
}
# Patterns with something to hide nearly everywhere.
BRIGHT = ("fall-off with background", "powder rings", "two arcs", "streak", "halo")

# What hides: from x, y (pixels, from the beam) and what is drawn at random to the share that comes through.
Shade = Callable[[Expected, Expected, Random], Expected]


def band(half_width: tuple[float, float], transmission: float, both_sides: bool = False, bend: bool = False) -> Shade:
    """A straight holder from near the beam to the border, perhaps tapered, on both sides, or bent to an L."""

    def shade(x: Expected, y: Expected, random: Random) -> Expected:
        angle, wide = random.uniform(0, 2 * np.pi), random.uniform(*half_width)
        along = x * np.cos(angle) + y * np.sin(angle)
        # It misses the beam's centre by some of its own width.
        across = y * np.cos(angle) - x * np.sin(angle) - random.uniform(-0.4, 0.4) * min(wide, 5)
        taper = random.choice([0, random.uniform(-0.3, 0.3)])
        half = wide * (1 + taper * along / np.abs(along).max())
        inside = half - np.abs(across)
        if bend:
            far = 0.4 * along.max()
            first = np.minimum(inside, np.minimum(along, far - along))
            inside = np.maximum(first, np.minimum(wide - np.abs(along - far + wide), across + wide))
        elif not both_sides:
            inside = np.minimum(inside, along)
        return 1 - (1 - transmission) * np.clip(inside + 0.5, 0, 1)

    return shade


def stop(radius: tuple[float, float], transmission: float, square: bool = False) -> Shade:
    """A round or square beamstop without a holder."""

    def shade(x: Expected, y: Expected, random: Random) -> Expected:
        size = random.uniform(*radius)
        x0, y0 = random.uniform(-0.15, 0.15, 2) * min(size, 10)
        distance = np.maximum(np.abs(x - x0), np.abs(y - y0)) if square else np.hypot(x - x0, y - y0)
        return 1 - (1 - transmission) * np.clip(size - distance + 0.5, 0, 1)

    return shade


def stop_on_holder(transmission: float) -> Shade:
    """An opaque beamstop on a holder."""

    def shade(x: Expected, y: Expected, random: Random) -> Expected:
        return np.minimum(stop((6, 20), 0.0)(x, y, random), band((1.5, 5), transmission)(x, y, random))

    return shade


def corner(transmission: float) -> Shade:
    """A corner that the flight tube cuts off."""

    def shade(x: Expected, y: Expected, random: Random) -> Expected:
        angle = random.choice([-3, -1, 1, 3]) * np.pi / 4 + random.uniform(-0.3, 0.3)
        depth = x * np.cos(angle) + y * np.sin(angle)
        reach = np.percentile(depth, random.uniform(90, 98))
        # Curved like a tube: part of a circle round a point beyond the beam.
        distance = np.hypot(x + 60 * np.cos(angle), y + 60 * np.sin(angle))
        return 1 - (1 - transmission) * np.clip(distance - reach - 60 + 0.5, 0, 1)

    return shade


SHADES: dict[str, Shade] = {
    "opaque holder, half width 1-3": band((1, 3), 0.0),
    "opaque holder, 3-10": band((3, 10), 0.0),
    "opaque holder, 10-25": band((10, 25), 0.0),
    "30 % transparent, 1-3": band((1, 3), 0.3),
    "30 % transparent, 3-10": band((3, 10), 0.3),
    "30 % transparent, 10-25": band((10, 25), 0.3),
    "50 % transparent, 3-10": band((3, 10), 0.5),
    "50 % transparent, 10-25": band((10, 25), 0.5),
    "70 % transparent, 3-10": band((3, 10), 0.7),
    "70 % transparent, 10-25": band((10, 25), 0.7),
    "opaque, L-shaped, 3-10": band((3, 10), 0.0, bend=True),
    "opaque, right across, 1-3": band((1, 3), 0.0, both_sides=True),
    "opaque, right across, 3-10": band((3, 10), 0.0, both_sides=True),
    "50 % transparent, right across, 3-10": band((3, 10), 0.5, both_sides=True),
    "opaque beamstop, radius 2-5": stop((2, 5), 0.0),
    "opaque beamstop, 5-12": stop((5, 12), 0.0),
    "opaque beamstop, 12-30": stop((12, 30), 0.0),
    "square beamstop, 5-12": stop((5, 12), 0.0, square=True),
    "10 % transparent beamstop, 5-12": stop((5, 12), 0.1),
    "beamstop 6-20 on opaque holder 1.5-5": stop_on_holder(0.0),
    "beamstop 6-20 on 50 % holder 1.5-5": stop_on_holder(0.5),
    "opaque corner": corner(0.0),
    "30 % transparent corner": corner(0.3),
}


def scan(
    pattern: str, shade: Shade | None, seed: int, name: str = ""
) -> tuple[NDArray[np.float32], Missing, tuple[float, float], Missing]:
    """Counts of a pattern behind a shade; missing pixels; the centre that is given; and what is hidden."""
    random = np.random.default_rng([seed, *map(ord, pattern + name)])
    shape = tuple(random.integers(200, 321, 2))
    centre = random.uniform(0.3, 0.7, 2) * shape[::-1]
    if shade is None and seed % 5 == 4:
        # The beam at the border of the image.
        centre[seed // 5 % 2] = random.uniform(-10, 10)
    radius, chi = radius_and_azimuth(shape, tuple(centre))
    expected = PATTERNS[pattern](radius, chi, random)
    expected *= np.exp(random.uniform(np.log(0.3), np.log(1000))) / expected.mean()
    through = np.ones(shape) if shade is None else shade(radius * np.cos(chi), radius * np.sin(chi), random)
    counts = random.poisson(expected * through).astype(np.float32)
    missing = np.zeros(shape, bool)
    if seed % 3 == 0:
        row, column = (int(random.integers(20, length - 20)) for length in shape)
        missing[row : row + 9] = missing[:, column : column + 5] = True
    angle = random.uniform(0, 2 * np.pi)
    off = 2 * (seed % 2) * np.array([np.cos(angle), np.sin(angle)])
    return counts, missing, tuple(centre + off), (through < 0.9) & ~missing


def masked(parts: Parts) -> Missing:
    """All that was found."""
    return parts.beamstop | parts.holder | parts.outside


def innocent_table(scans: int) -> None:
    """Print what is masked where nothing is hidden."""
    print("| nothing is hidden: pattern | scans with a false beamstop | holder | shadow | largest false mask |")
    print("|---|---|---|---|---|")
    total = np.zeros(3)
    for pattern in PATTERNS:
        false, largest = np.zeros(3), 0.0
        for seed in range(FIRST, FIRST + 2 * scans):
            parts = find_parts(*scan(pattern, None, seed)[:3])
            false += [part.any() for part in (parts.beamstop, parts.holder, parts.outside)]
            largest = max(largest, masked(parts).mean())
        total += false
        print(f"| {pattern} | {' | '.join(f'{each:.0f} of {2 * scans}' for each in false)} | {largest:.1%} |")
    print(f"| **all** | {' | '.join(f'**{each:.0f} of {2 * scans * len(PATTERNS)}**' for each in total)} | |")


def hidden_table(scans: int) -> None:
    """Print how much of what is hidden is masked."""
    print(f"| hidden | scans with IoU > {FOUND} | median IoU of these | false parts: scans with more than 0.5 % |")
    print("|---|---|---|---|")
    for name, shade in SHADES.items():
        overlaps, wrong = [], 0
        for seed in range(FIRST, FIRST + scans):
            counts, missing, centre, hidden = scan(BRIGHT[seed % len(BRIGHT)], shade, seed, name)
            ours = masked(find_parts(counts, missing, centre))
            overlaps.append((ours & hidden).sum() / (ours | hidden).sum())
            wrong += bool((ours & ~hidden).mean() > 0.005)
        good = [overlap for overlap in overlaps if overlap > FOUND]
        print(
            f"| {name} | {len(good)} of {scans} | {np.median(good) if good else float('nan'):.2f} | {wrong} |",
            flush=True,
        )


def main() -> None:
    """Print both tables."""
    scans = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    innocent_table(scans)
    print()
    hidden_table(scans)


if __name__ == "__main__":
    main()
