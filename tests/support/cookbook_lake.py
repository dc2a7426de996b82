"""A lake for the cookbook: the demo's two shops with names, topics and clocks of their own, over both changes of the clocks."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from lakes import take

from pipeline.lake.lake import Lake
from pipeline.sandbox import demo_accounts, file_bytes, hour_file_names, name_files, settings_rows
from pipeline.warehouse.rules import default_text

UNTIL = datetime(2026, 11, 6, tzinfo=UTC)
DAYS = 19
SINCE_DAY, UNTIL_DAY = date(2026, 10, 5), date(2026, 11, 1)
"""Four weeks up to the day before the first provisional one: 2 November in New York ends less than 72 hours before `UNTIL`."""
NEW_YORK, LONDON = (
    replace(account, seed=2, conversations_per_day=mean) for account, mean in zip(demo_accounts(), (200, 160), strict=True)
)
ACCOUNTS = {NEW_YORK.account_id: "Shop New York", LONDON.account_id: "Shop London"}
ZONES = {NEW_YORK.account_id: NEW_YORK.time_zone, LONDON.account_id: LONDON.time_zone}


def make_cookbook_lake(folder: Path) -> Lake:
    """Make the files of both accounts and load them."""
    lake = Lake(str(folder / "lake"))
    both = (NEW_YORK, LONDON)
    Path(lake.root).mkdir(parents=True)
    names = {name: namesakes(text) if name in ("agents.csv", "skills.csv") else text for name, text in name_files(both).items()}
    for name, text in (names | {"settings.csv": default_text() + settings_rows(both)}).items():
        (Path(lake.root) / name).write_text(text, encoding="utf-8")
    for account in both:  # one after the other, since both have files of the same names
        source = folder / account.account_id
        source.mkdir()
        for hours in range(24 * DAYS):
            for name in hour_file_names(account, UNTIL - timedelta(hours=hours + 1)):
                (source / name).write_bytes(file_bytes(account, name))
        take(lake, source)
    return lake


def namesakes(text: str) -> str:
    """Give the third agent or skill of each account the name of the second: nicknames, for example, are often the same."""
    header, *rows = csv.reader(text.splitlines())
    for account_id in ACCOUNTS:
        _, one, other, *_ = (row for row in rows if row[0] == account_id)
        other[2] = one[2]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()
