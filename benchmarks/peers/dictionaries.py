"""The usual program: gzip, a JSON parser, a walk over dictionaries, Arrow tables from lists of rows. One process.

`--orjson` takes that parser instead of the standard library's.
"""

import gzip
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from parquet_tables import MOST_MESSAGES, PARTITIONED, Held

from peers.program import run

Row = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bare(value: Row | None) -> Any:
    """Return the value inside its union tag."""
    return None if value is None else next(iter(value.values()))


def time(value: Row | None) -> int | None:
    """Return epoch milliseconds as microseconds."""
    return None if value is None else int(bare(value)) * 1000


def score(value: Row | None) -> float | None:
    """Return the number in an MCS record."""
    return None if value is None else bare(bare(value)["mcs"])


def parser() -> Callable[[bytes], Any]:
    """Return the JSON parser that the command line names."""
    if "--orjson" not in sys.argv:
        return json.loads
    import orjson  # noqa: PLC0415 - optional

    loads: Callable[[bytes], Any] = orjson.loads
    return loads


def work(source: Path, out: Path) -> None:
    """Load file by file, and write rows as soon as there are many."""
    loads = parser()
    rows: dict[str, list[Row]] = {table.name: [] for table in PARTITIONED}
    held = Held(out, "part")
    for path in sorted(source.glob("*.gz")):
        delivery = 0
        with gzip.open(path, "rb") as lines:
            for line in lines:
                delivery = flatten(loads(line), path.name, delivery, rows)
        if len(rows["messages"]) > MOST_MESSAGES:
            write(held, rows)
    write(held, rows)


def write(held: Held, rows: dict[str, list[Row]]) -> None:
    """Turn the rows into Arrow, and write them."""
    for table in PARTITIONED:
        held.add(table.name, pa.Table.from_pylist(rows[table.name], table.arrow_schema))
        rows[table.name].clear()
    held.flush()


def flatten(document: Row, name: str, delivery: int, rows: dict[str, list[Row]]) -> int:
    """Append the rows of a document; returns the place of its last conversation in the file."""
    meta = document["metaData"]
    above = {"account_id": bare(meta["accountId"]), "schema_version": meta["schemaVersion"]}
    for record in document["recordCollection"]:
        body = bare(record["body"])
        header = bare(body["header"])
        visit = {
            "visit_id": bare(header["visitId"]),
            "visitor_id": bare(header["visitorId"]),
            "context_id": bare(header["contextId"]),
        }
        for engagement in bare(body["engagements"]) or ():
            delivery += 1
            value = bare(engagement)
            start = bare(value["conversationStartTime"])
            key = {
                "account_id": above["account_id"],
                "conversation_id": bare(value["conversationId"]),
                "date": (_EPOCH + timedelta(milliseconds=start)).date(),
                "source_file": name,
                "delivery": delivery,
            }
            rows["conversations"].append({**above, **visit, **conversation(value), **key})
            for position, item in enumerate(bare(value["transcripts"]) or ()):
                rows["messages"].append({**key, "position": position, **message(item)})
            for position, item in enumerate(bare(value["transfers"]) or ()):
                rows["transfers"].append({**key, "position": position, **transfer(item)})
    return delivery


def conversation(value: Row) -> Row:
    """Return the columns of the conversation itself."""
    campaign = bare(value["campaignData"]) or {}
    return {
        "type": bare(value["type"]),
        "conversation_start_time": time(value["conversationStartTime"]),
        "interaction_start_time": time(value["interactionStartTime"]),
        "conversation_end_time": time(value["conversationEndTime"]),
        "consumer_id": bare(value["consumerId"]),
        "is_interactive": bare(value["isInteractive"]),
        "source_origin": bare(value["sourceOrigin"]),
        "source_device": bare(value["sourceDevice"]),
        "end_reason_id": bare(value["endReasonId"]),
        "campaign_id": bare(campaign.get("campaignId")),
        "campaign_engagement_id": bare(campaign.get("campaignEngagementId")),
        "agent_id": bare(value["agentId"]),
        "skill_id": bare(value["skillId"]),
        "skills": bare(value["skills"]),
        "start_reason_id": bare(value["startReasonId"]),
        "start_page": bare(value["startPage"]),
        "start_url": bare(value["startUrl"]),
        "mcs": score(value["mcs"]),
        "queue_start_time": time(value["queueStartTime"]),
        "queue_end_time": time(value["queueEndTime"]),
        "secure_forms": secure_forms(bare(value["secureForms"])),
    }


def secure_forms(forms: list[Row] | None) -> str | None:
    """Return the forms as JSON text."""
    if not forms:
        return None
    plain = [{name: bare(value) for name, value in form.items()} for form in forms]
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def message(value: Row) -> Row:
    """Return the columns of the message itself."""
    file, link = bare(value["fileData"]) or {}, bare(value["linkData"]) or {}
    return {
        "timestamp": time(value["timestamp"]),
        "sent_by": bare(value["by"]),
        "type": bare(value["type"]),
        "control_type": bare(value["controlType"]),
        "agent_id": bare(value["agentId"]),
        "content_format": bare(value["contentFormat"]),
        "text": bare(value["text"]),
        "message_id": bare(value["messageId"]),
        "dialog_id": bare(value["dialogId"]),
        "file_caption": bare(file.get("caption")),
        "file_type": bare(file.get("fileType")),
        "link_url": bare(link.get("externalFileLink")),
        "link_file_type": bare(link.get("fileType")),
        "link_caption": bare(link.get("caption")),
        "mcs": score(value["mcs"]),
    }


def transfer(value: Row) -> Row:
    """Return the columns of the transfer itself."""
    return {
        "timestamp": time(value["timestamp"]),
        "skill_id": bare(value["skillId"]),
        "target_skill_id": bare(value["targetSkillId"]),
        "agent_id": bare(value["agentId"]),
        "target_agent_id": bare(value["targetAgentId"]),
        "reason": bare(value["reason"]),
        "queue_start_time": time(value["queueStartTime"]),
        "queue_end_time": time(value["queueEndTime"]),
    }


if __name__ == "__main__":
    run(work)
