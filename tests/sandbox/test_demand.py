"""Events of the sandbox that are rare: rushes, visitors who are moved or leave at once, agents who never write."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from sandboxes import engagements, untagged

from pipeline.sandbox import demo_accounts, documents
from pipeline.sandbox.demand import arrivals, rush

MIDNIGHT = datetime(2026, 3, 11, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHOP, _ = demo_accounts()


def test_the_day_has_the_rarer_events() -> None:
    """Some give up within seconds, some are moved before anybody answers, and some agents never write."""
    day = [fields for hour in range(24) for line in documents(SHOP, MIDNIGHT + hour * HOUR) for fields in engagements(line)]
    waits = [
        untagged(item["conversationEndTime"]) - untagged(item["queueStartTime"])
        for item in day
        if item["interactionStartTime"] is None and not item["transfers"]["array"]
    ]
    assert any(wait < 5_000 for wait in waits)
    speakers = [{untagged(line["type"]) for line in item["transcripts"]["array"]} for item in day if item["agentId"]]
    assert 0 < sum("0" in types and not types & {"1", "3", "4"} for types in speakers) < len(speakers) / 20


def test_some_days_have_arush() -> None:
    """In two hours of a few days visitors come at a multiple of the usual rate."""
    rushes = [(day, *rush(SHOP, day)) for day in (date(2026, 1, 1) + timedelta(number) for number in range(365))]
    (day, hours, factor), *others = [rush for rush in rushes if rush[1]]
    assert 3 < len(others) < 30
    calm = replace(SHOP, seed=3)
    assert not rush(calm, day)[0]
    counts = [sum(account.local_hour(moment) in hours for moment in arrivals(account, day)) for account in (SHOP, calm)]
    assert counts[0] > counts[1] * factor / 2
