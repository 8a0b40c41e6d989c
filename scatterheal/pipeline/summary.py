"""All scans in one table: what heals each, and how well; or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from scatterheal.validation.rank import chosen


def summary(rankings: Mapping[str, pd.DataFrame], problems: Mapping[str, str], heal_with: str) -> pd.DataFrame:
    """One line a scan.

    Parameters
    ----------
    rankings : mapping
        Of each scan that has one, from `scatterheal.validation.rank.rank`.
    problems : mapping
        Of each scan that was not healed, or not anew, why.
    heal_with : {"best", "dip"}

    Returns
    -------
    table : DataFrame
        scan, run (which heals it), best (which scores best), problem, and the columns of the ranking; sorted by scan.

    Examples
    --------
    >>> ranking = pd.DataFrame({"run": ["telea", "lr-0.1"], "method": ["telea", "dip"], "score": [1.1, 1.2]})
    >>> table = summary({"b": ranking}, {"a": "scans/a.yaml: image: a.tif is empty"}, "dip")
    >>> table[["scan", "run", "best", "problem", "score"]].astype(object).fillna("").values.tolist()
    [['a', '', '', 'scans/a.yaml: image: a.tif is empty', ''], ['b', 'lr-0.1', 'telea', '', 1.2]]
    """
    rows = []
    for scan, ranking in rankings.items():
        healing = ranking[ranking.run == chosen(ranking, heal_with)]
        rows.append(healing.assign(scan=scan, best=ranking.run[0], problem=problems.get(scan)))
    rows.append(pd.DataFrame([{"scan": scan, "problem": problems[scan]} for scan in problems if scan not in rankings]))
    table = pd.concat([row for row in rows if len(row)], ignore_index=True).sort_values("scan", ignore_index=True)
    first = ["scan", "run", "best", "problem"]
    return table.reindex(columns=[*first, *(name for name in table if name not in first)])


def after_failure(
    folder: Path,
    scans: Mapping[str, Path],
    unfinished: Iterable[tuple[str | None, str, bool]],
    since: float,
    heal_with: str,
) -> pd.DataFrame:
    """The table where some jobs failed, from what there is.

    Parameters
    ----------
    folder : Path
        The results.
    scans : mapping
        The YAML file of each scan that was to be healed.
    unfinished : iterable of (scan or None, rule, bool)
        The jobs that did not come to their end, and whether each could have begun; None for a job of all scans.
    since : float
        Seconds since 1970: what logs said before is of an earlier run.
    heal_with : {"best", "dip"}
    """
    left: dict[str, set[str]] = {scan: set() for scan in scans}
    begun: dict[str, set[str]] = {scan: set() for scan in scans}
    for scan, rule, could_begin in unfinished:
        if scan and scan in scans:
            left[scan].add(rule)
            if could_begin:
                begun[scan].add(rule)
    rankings, problems = {}, {}
    for scan, file in scans.items():
        if "rank" not in left[scan] and (folder / scan / "ranking.csv").is_file():
            rankings[scan] = pd.read_csv(folder / scan / "ranking.csv")
        if left[scan]:
            unsaid = f"{file}: killed, out of time or not begun, see the logs in {folder / 'logs'}: "
            problems[scan] = _said(folder, scan, file, since) or unsaid + ", ".join(sorted(begun[scan]))
    return summary(rankings, problems, heal_with)


def _said(folder: Path, scan: str, file: Path, since: float) -> str | None:
    """The first line in which a job of this scan said what was wrong."""
    logs = [*folder.glob(f"logs/*/{scan}.log"), *folder.glob(f"logs/*/{scan}/*.log")]
    for log in sorted(logs, key=lambda path: path.stat().st_mtime):
        if log.stat().st_mtime >= since:
            for line in log.read_text(errors="replace").splitlines():
                if line.startswith(f"{file}: "):
                    return line
    return None
