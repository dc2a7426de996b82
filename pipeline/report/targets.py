"""The targets of figures, which each account has in `settings.csv`."""

from typing import Any, NamedTuple

import duckdb


class Target(NamedTuple):
    """What a measure should be: at least, or at most, each account's value; `form` is that of the key figure.

    `values` are in the measure's unit, by the account's place; None where there is none. All accounts, at place 0, have one if
    it is the same for each.
    """

    measure: str
    setting: str
    form: str
    is_least: bool
    divisor: int = 1
    values: tuple[float | None, ...] = ()


TARGETS = (
    Target("service_level_share", "service_level_target_percent", "share", is_least=True, divisor=100),
    Target("abandoned_share", "abandoned_target_percent", "share", is_least=False, divisor=100),
    Target("queue_p90_seconds", "queue_p90_target_seconds", "duration", is_least=False),
    Target("first_reply_p50_seconds", "first_reply_target_seconds", "duration", is_least=False),
    Target("people_mcs_avg", "mcs_target", "number", is_least=True),
)


def read_targets(connection: duckdb.DuckDBPyConnection, account: str, most: int) -> dict[str, Target]:
    """The targets by measure, of the accounts at places 1 to `most`; `account` is SQL for the place."""
    # One that only some accounts have is none of all: an account without any counts as one more value.
    same = "case when count(distinct coalesce({0}, -1e9)) = 1 then any_value({0}) end / {1}"
    columns = ", ".join(same.format(target.setting, target.divisor) for target in TARGETS)
    rows: dict[Any, tuple[float | None, ...]] = {
        place: tuple(values)
        for place, *values in connection.execute(
            f"select {account} as place, {columns} from accounts group by grouping sets ((place), ())"
        ).fetchall()
    }
    places = [None, *range(1, most + 1)]
    return {
        target.measure: target._replace(values=tuple(rows[place][number] if place in rows else None for place in places))
        for number, target in enumerate(TARGETS)
    }
