"""Finds conversations by the words of their lines, by day, skill, agent and outcome, the newest first."""

import difflib
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

import duckdb

from pipeline.errors import QueryError, SettingsError
from pipeline.failures import of_a_file, without_values
from pipeline.lake.sql import literal
from pipeline.transcript.sought import OUTCOMES, SPEAKERS, Sought

_RECENT: Final = timedelta(days=31)
"""Days that are searched first: mostly they have enough, and a large lake need not be read."""
_KINDS: Final = {"skill": ("skills", ("segments", "queue_entries")), "agent": ("agents", ("segments",))}
_QUERY: Final = """
    with said as (
        select
            account_id, conversation_id, date, count(*) as line_count,
            {chosen}({{'said_at': timestamp, 'said_by': sent_by, 'line': text}}, position) as first_line
        from messages
        where type in {speakers} {line_conditions}
        group by all
    )
    select
        conversation.conversation_id, conversation.account_id, accounts.account_name, conversation.date,
        coalesce(conversation.local_time, conversation.conversation_start_time at time zone 'UTC') as local_time,
        conversation.type, conversation.skill_name, conversation.skill_id, conversation.agent_name, conversation.agent_id,
        {outcome} as outcome,
        conversation.transfer_count, conversation.duration_seconds, conversation.mcs,
        said.line_count, first_line.said_by as said_by,
        (first_line.said_at at time zone 'UTC')
            + (conversation.local_time - conversation.conversation_start_time at time zone 'UTC') as said_at,
        first_line.line as line
    from local_named_conversations as conversation
    {join} join said
        on conversation.account_id is not distinct from said.account_id
        and conversation.conversation_id = said.conversation_id and conversation.date = said.date
    left join accounts on conversation.account_id is not distinct from accounts.account_id
    where {conditions}
    order by local_time desc nulls last, conversation.conversation_id
    limit {rows}"""
_OF: Final = """(conversation.account_id, conversation.conversation_id) in (
    select (fact.account_id, fact.conversation_id) from {fact} as fact
    join {dimension} as named on fact.account_id is not distinct from named.account_id and fact.{kind}_id = named.{kind}_id
    where named.{kind}_id::varchar = ${kind} or lower(named.{kind}_name) = lower(${kind}))"""


def search(connection: duckdb.DuckDBPyConnection, sought: Sought, rows: int) -> duckdb.DuckDBPyRelation:
    """Find at most so many conversations, the newest first, with the line that matched first.

    Raises:
        QueryError: no skill or agent has that id or name, or the regular expression is none.
    """
    for kind in _KINDS:
        if getattr(sought, kind) is not None:
            _require_known(connection, kind, getattr(sought, kind))
    newest: date | None = connection.sql("select max(date) from conversations").fetchall()[0][0]
    try:
        if newest and sought.since is None and sought.until is None:
            found = _asked(connection, sought, rows, newest - _RECENT)
            if len(found) >= rows:
                return found
        return _asked(connection, sought, rows, None)
    except duckdb.Error as error:
        raise of_a_file(error) or QueryError(f"the search failed: {without_values(error)}") from error


def with_matches(found: duckdb.DuckDBPyRelation, sought: Sought) -> duckdb.DuckDBPyRelation:
    """Add to the rows of a search what the regular expression matched in the line."""
    return found.project(f"*, regexp_extract(line, {literal(sought.pattern)}) as matched") if sought.pattern else found


def _asked(connection: duckdb.DuckDBPyConnection, sought: Sought, rows: int, first: date | None) -> duckdb.DuckDBPyRelation:
    """The rows of the search from a day on, held in memory."""
    parameters: dict[str, Any] = {}
    lines = [*_dated(sought, first, parameters), *_of_the_line(sought, parameters)]
    whole = [f"conversation.{condition}" for condition in _dated(sought, first, parameters)]
    query = _QUERY.format(
        chosen="arg_min" if sought.has_text else "arg_max",
        speakers=SPEAKERS[sought.speaker],
        line_conditions="".join(f" and {condition}" for condition in lines),
        outcome=f"case {' '.join(f'when {test} then {name!r}' for name, test in OUTCOMES.items())} end",
        join="" if sought.has_text else "left",
        conditions=" and ".join([*whole, *_of_the_conversation(sought, parameters)]) or "true",
        rows=rows,
    )
    return connection.from_arrow(connection.sql(query, params=parameters).to_arrow_table())


def _dated(sought: Sought, first: date | None, parameters: dict[str, Any]) -> Iterator[str]:
    """Conditions on the partition, a day wider than the local times asked for."""
    day = timedelta(days=1)
    for name, sign, moment in (("first", ">=", sought.since), ("last", "<=", sought.until)):
        bound = None
        if moment is not None and date.min + day < moment.date() < date.max - day:  # else nothing is beyond
            bound = moment.date() - day if name == "first" else moment.date() + day
        bound = bound or (first if name == "first" else None)
        if bound is not None:
            parameters[name] = bound
            yield f"date {sign} ${name}"


def _of_the_line(sought: Sought, parameters: dict[str, Any]) -> Iterator[str]:
    for number, word in enumerate(sought.words):
        parameters[f"word{number}"] = word
        yield f"contains(lower(text), lower($word{number}))"
    if sought.pattern is not None:
        parameters["pattern"] = sought.pattern
        yield "regexp_matches(text, $pattern, 'i')"


def _of_the_conversation(sought: Sought, parameters: dict[str, Any]) -> Iterator[str]:
    local = "coalesce(conversation.local_time, conversation.conversation_start_time at time zone 'UTC')"
    for name, sign in (("since", ">="), ("until", "<")):
        if (moment := getattr(sought, name)) is not None:
            parameters[name] = moment
            yield f"{local} {sign} ${name}"
    for kind, (dimension, facts) in _KINDS.items():
        if (ident := getattr(sought, kind)) is not None:
            parameters[kind] = ident
            yield f"({' or '.join(_OF.format(fact=fact, dimension=dimension, kind=kind) for fact in facts)})"
    if sought.outcome is not None:
        yield OUTCOMES[sought.outcome]
    if sought.transfers:
        parameters["transfers"] = sought.transfers
        yield "conversation.transfer_count >= $transfers"


def _require_known(connection: duckdb.DuckDBPyConnection, kind: str, asked: str) -> None:
    query = f"select distinct {kind}_id::varchar, {kind}_name from {_KINDS[kind][0]}"
    known = [name for row in connection.sql(query).fetchall() for name in row if name is not None]
    if asked.lower() in {name.lower() for name in known}:
        return
    near = difflib.get_close_matches(asked, known, 3)
    raise SettingsError(
        f"--{kind}: no {kind} of the lake has the id or name {asked!r}"
        + (f"; near it are {', '.join(near)}" if near else f"; lakehouse sql 'from {kind}s' lists them")
    )
