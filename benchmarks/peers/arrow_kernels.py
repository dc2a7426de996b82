"""pyarrow's JSON reader with one explicit type for the whole document, flattened by compute kernels. Two processes."""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
from isal import igzip
from parquet_tables import MOST_MESSAGES, Held

from peers.program import WORKERS, run
from pipeline import schema

_NAMES = "com.liveperson.dataaccess."
_UNIT_FILES = 12


def tagged(tag: str, kind: pa.DataType) -> pa.DataType:
    """Return a nullable type as Avro's JSON encoding writes it."""
    return pa.struct([(tag, kind)])


def record(name: str, **fields: pa.DataType) -> pa.DataType:
    """Return a nullable record."""
    return tagged(_NAMES + name, pa.struct(fields.items()))


def array(kind: pa.DataType) -> pa.DataType:
    """Return a nullable list."""
    return tagged("array", pa.list_(kind))


TEXT, LONG, INT = tagged("string", pa.string()), tagged("long", pa.int64()), tagged("int", pa.int32())
FLAG, DOUBLE = tagged("boolean", pa.bool_()), tagged("double", pa.float64())
MCS = record("MCS", mcs=DOUBLE)
MESSAGE = pa.struct(
    {
        "text": TEXT, "timestamp": LONG, "by": TEXT, "type": TEXT, "controlType": TEXT, "agentId": TEXT, "contentFormat": TEXT,
        "messageId": TEXT, "dialogId": TEXT, "fileData": record("FileData", caption=TEXT, fileType=TEXT),
        "linkData": record("LinkData", externalFileLink=TEXT, fileType=TEXT, caption=TEXT), "mcs": MCS,
    }.items()
)  # fmt: skip
TRANSFER = pa.struct(
    {
        "timestamp": TEXT, "skillId": LONG, "targetSkillId": LONG, "agentId": TEXT, "targetAgentId": TEXT, "reason": LONG,
        "queueStartTime": LONG, "queueEndTime": LONG,
    }.items()
)  # fmt: skip
FORM = pa.struct({"formId": TEXT, "formName": TEXT, "submitTime": LONG}.items())
CONVERSATION = record(
    "Conversation", type=tagged(_NAMES + "ConversationType", pa.string()), conversationId=TEXT, conversationStartTime=LONG,
    interactionStartTime=LONG, conversationEndTime=LONG, consumerId=TEXT, isInteractive=FLAG, sourceOrigin=TEXT,
    sourceDevice=tagged(_NAMES + "DeviceType", pa.string()), endReasonId=INT,
    campaignData=record("CampaignData", campaignId=LONG, campaignEngagementId=LONG), agentId=TEXT, skillId=LONG,
    skills=array(pa.int64()), startReasonId=INT, startPage=TEXT, startUrl=TEXT, transcripts=array(MESSAGE),
    transfers=array(TRANSFER), secureForms=array(FORM), mcs=MCS, queueStartTime=LONG, queueEndTime=LONG,
)  # fmt: skip
HEADER = record("VisitorHeader", visitId=TEXT, visitorId=TEXT, contextId=TEXT)
DOCUMENT = pa.schema(
    {
        "dataType": tagged(_NAMES + "DataTypeEnum", pa.string()),
        "metaData": pa.struct({"accountId": TEXT, "schemaVersion": pa.string(), "startTime": LONG, "endTime": LONG}.items()),
        "recordCollection": pa.list_(
            pa.struct([("body", record("EngagementData", header=HEADER, engagements=array(CONVERSATION)))])
        ),
    }.items()
)


def work(source: Path, out: Path) -> None:
    """Give each process a dozen files at a time."""
    paths = sorted(source.glob("*.gz"))
    units = [paths[first : first + _UNIT_FILES] for first in range(0, len(paths), _UNIT_FILES)]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        for _ in pool.map(load, units, [out] * len(units), range(len(units))):
            pass


def load(paths: list[Path], out: Path, number: int) -> None:
    """Read, flatten and write some files."""
    held = Held(out, f"part-{os.getpid()}-{number}")
    for path in paths:
        delivery = 0
        for batch in read(path).to_batches():
            tables = flatten(batch, path.name, delivery)
            delivery += tables["conversations"].num_rows
            for name, rows in tables.items():
                held.add(name, rows)
        held.flush(least_messages=MOST_MESSAGES)
    held.flush()


def read(path: Path) -> pa.Table:
    """Read the documents of a file; a field that the type does not know is an error."""
    raw = igzip.decompress(path.read_bytes())
    return pyarrow.json.read_json(
        pa.BufferReader(raw),
        pyarrow.json.ReadOptions(use_threads=False, block_size=len(raw)),
        pyarrow.json.ParseOptions(explicit_schema=DOCUMENT, unexpected_field_behavior="error"),
    )


def flatten(batch: pa.RecordBatch, name: str, delivered: int) -> dict[str, pa.Table]:
    """Return the three tables of some documents."""
    records, of_document = elements(batch["recordCollection"])
    body = inner(records, "body", "EngagementData")
    wrapped, of_record = elements(inner(body, "engagements"))
    values = pc.struct_field(wrapped, [_NAMES + "Conversation"])
    document = of_document.take(of_record)
    meta = batch["metaData"].take(document)
    header = inner(body, "header", "VisitorHeader").take(of_record)
    start = time(values, "conversationStartTime")
    key = {
        "account_id": inner(meta, "accountId"),
        "conversation_id": inner(values, "conversationId"),
        "date": start.cast(pa.timestamp("us")).cast(pa.date32()),
        "source_file": pa.repeat(name, len(values)),
        "delivery": pa.arange(delivered + 1, delivered + len(values) + 1),
    }
    above = {"schema_version": pc.struct_field(meta, ["schemaVersion"])}
    above |= {column: inner(header, field) for column, field in fields(schema.CONVERSATIONS, "header").items()}
    return {
        "conversations": table(schema.CONVERSATIONS, key | above | conversation_columns(values), len(values)),
        "messages": rows_below(schema.MESSAGES, values, "transcripts", key),
        "transfers": rows_below(schema.TRANSFERS, values, "transfers", key),
    }


def conversation_columns(values: pa.StructArray) -> dict[str, pa.Array]:
    """Return the columns of the conversations themselves."""
    campaign = inner(values, "campaignData", "CampaignData")
    columns = {column: inner(campaign, field) for column, field in fields(schema.CONVERSATIONS, "campaignData").items()}
    return columns | own_columns(schema.CONVERSATIONS, values) | {"secure_forms": secure_forms(inner(values, "secureForms"))}


def rows_below(declared: schema.Table, values: pa.StructArray, field: str, key: dict[str, pa.Array]) -> pa.Table:
    """Return the table of a list inside of conversations."""
    lists = inner(values, field)
    below, of_conversation = elements(lists)
    columns = {name: of.take(of_conversation) for name, of in key.items()}
    columns["position"] = positions(lists, of_conversation)
    columns |= own_columns(declared, below)
    for container, name in (("fileData", "FileData"), ("linkData", "LinkData")):
        for column, inside in fields(declared, container).items():
            columns[column] = inner(inner(below, container, name), inside)
    return table(declared, columns, len(below))


def own_columns(declared: schema.Table, values: pa.StructArray) -> dict[str, pa.Array]:
    """Return the columns of the fields of a record itself."""
    columns = {}
    sent = {item.name for item in values.type}
    for column, field in fields(declared, None).items():
        if field not in sent:
            continue
        if field == "mcs":
            columns[column] = inner(inner(values, "mcs", "MCS"), "mcs")
        elif declared.arrow_schema.field(column).type == schema.TIME.arrow:
            columns[column] = time(values, field)
        elif field != "secureForms":
            columns[column] = inner(values, field)
    return columns


def fields(declared: schema.Table, container: str | None) -> dict[str, str]:
    """Return the API's field of each column inside of `container`."""
    return {column.name: column.field for column in declared.columns if column.field and column.container == container}


def inner(values: pa.StructArray, field: str, tag: str | None = None) -> pa.Array:
    """Return a field of a struct, out of its union tag; `tag` is only checked."""
    outer = pc.struct_field(values, [field])
    (found,) = outer.type
    if tag is not None and found.name != _NAMES + tag:
        raise ValueError(f"{field}: expected the tag {tag}, found {found.name}")
    return pc.struct_field(outer, [found.name])


def elements(lists: pa.ListArray) -> tuple[pa.Array, pa.Array]:
    """Return the elements of lists, and the list of each."""
    return pc.list_flatten(lists), pc.list_parent_indices(lists)


def positions(lists: pa.ListArray, of_list: pa.Array) -> pa.Array:
    """Return the place, from 0, of each element in its list."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    firsts = pc.subtract(pc.cumulative_sum(lengths), lengths)
    return pc.subtract(pa.arange(0, len(of_list)), firsts.take(of_list))


def time(values: pa.StructArray, field: str) -> pa.Array:
    """Return epoch milliseconds as a time."""
    return inner(values, field).cast(pa.int64()).cast(pa.timestamp("ms", tz="UTC")).cast(schema.TIME.arrow)


def secure_forms(lists: pa.ListArray) -> pa.Array:
    """Return the forms as JSON text, by Python, since few conversations have any."""
    texts: list[str | None] = [None] * len(lists)
    for place in pc.indices_nonzero(pc.fill_null(pc.list_value_length(lists), 0)).to_pylist():
        plain = [{name: bare(value) for name, value in form.items()} for form in lists[place].as_py()]
        texts[place] = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return pa.array(texts, pa.string())


def bare(value: dict[str, Any] | None) -> Any:
    """Return the value inside its union tag."""
    return None if value is None else next(iter(value.values()))


def table(declared: schema.Table, columns: dict[str, pa.Array], length: int) -> pa.Table:
    """Return the columns in their order; a missing one is NULL."""
    filled = [columns.get(item.name, pa.nulls(length, item.type)).cast(item.type) for item in declared.arrow_schema]
    return pa.Table.from_arrays(filled, schema=declared.arrow_schema)


if __name__ == "__main__":
    run(work)
