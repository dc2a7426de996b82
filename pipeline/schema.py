"""The tables of the lake, every column with its type, its source field and a sentence; the record types of a document.

This is the only place where a column or a record type is declared. Times are microsecond timestamps in UTC; ids are text,
except skills and campaigns; NULL stands for a null and for a field that was not sent. Sources are sections of the vendor's
Engagement page.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import pyarrow as pa


class Type(StrEnum):
    """The type of a column, by Arrow's name of it."""

    TEXT = "string"
    BIGINT = "int64"
    INTEGER = "int32"
    DOUBLE = "double"
    BOOLEAN = "bool"
    TIME = "timestamp[us, tz=UTC]"
    DAY = "date32[day]"
    TEXTS = "list<item: string>"
    BIGINTS = "list<item: int64>"

    @property
    def arrow(self) -> "pa.DataType":
        """The type as Arrow has it; commands that make no rows never import Arrow."""
        return _arrow_types()[self]


@cache
def _arrow_types() -> "Mapping[Type, pa.DataType]":
    import pyarrow as pa

    text, bigint, day = pa.string(), pa.int64(), pa.date32()
    numbers = {Type.BIGINT: bigint, Type.INTEGER: pa.int32(), Type.DOUBLE: pa.float64(), Type.BOOLEAN: pa.bool_()}
    lists = {Type.TEXTS: pa.list_(text), Type.BIGINTS: pa.list_(bigint)}
    return {Type.TEXT: text, Type.TIME: pa.timestamp("us", tz="UTC"), Type.DAY: day} | numbers | lists


TIME, TEXT, BIGINT, INTEGER, DOUBLE, BOOLEAN = Type.TIME, Type.TEXT, Type.BIGINT, Type.INTEGER, Type.DOUBLE, Type.BOOLEAN


@dataclass(frozen=True)
class Column:
    """One column: `field` is the API's name of it in the row's own record; `container` is the field it is inside of.

    `field` is None where no field of the record may fill it: the value is derived, or inherited from a level above. A field of
    that name is then an unknown field.

    `null` is the meaning of NULL. Values that fit no column of their type are kept in `extra`.
    """

    name: str
    type: Type
    about: str
    field: str | None = None
    container: str | None = None
    null: str = "not sent"
    is_hidden: bool = False  # internal: in the Parquet files, not in the views of the DuckDB file
    sent_as: Literal["value", "score", "forms"] = "value"
    """The shape of the field: a value; a score, bare or in a record of its own; a list of secure forms, kept as JSON."""


@dataclass(frozen=True)
class Table:
    """One table: its grain, its columns in order, and those of them that tell its rows apart."""

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    partitioned: bool = True
    is_compressed: bool = True  # compressed hashes are as large, and take twice as long to read

    @cached_property
    def arrow_schema(self) -> "pa.Schema":
        """All columns, `date` included."""
        import pyarrow as pa

        return pa.schema([(column.name, column.type.arrow) for column in self.columns])

    @cached_property
    def shown(self) -> tuple[Column, ...]:
        """The columns that users see."""
        return tuple(column for column in self.columns if not column.is_hidden)

    @cached_property
    def file_schema(self) -> "pa.Schema":
        """The columns of one Parquet file: all but the partition's, which is in the file's path."""
        import pyarrow as pa

        return pa.schema([one for one in self.arrow_schema if not (self.partitioned and one.name == "date")])


NEVER = "never"
NOT_TOLD = "neither tells"

ACCOUNT_ID = Column(
    "account_id",
    TEXT,
    "The LivePerson account: of the document, else that the file was listed for, else its only one.",
    null=NOT_TOLD,
)
CONVERSATION_ID = Column("conversation_id", TEXT, "Unique conversation identifier; never NULL.", "conversationId", null=NEVER)
INHERITED_ID = replace(CONVERSATION_ID, about="The conversation that it is part of; never NULL.", field=None)
DATE = Column("date", Type.DAY, "UTC date of the conversation's start.", null=NEVER)
SOURCE_FILE = Column("source_file", TEXT, "Base name of the source file, as listed.", null=NEVER)
DELIVERY = Column(
    "delivery",
    INTEGER,
    "1-based place of the conversation in its source file; with account, conversation and source file it names one delivery.",
    null=NEVER,
    is_hidden=True,
)
EXTRA = Column(
    "extra",
    TEXT,
    "JSON object of what fits no column, by the API's field name, tags removed; NULL when empty.",
    null="everything fits",
)

CONVERSATIONS = Table(
    "conversations",
    "one row per conversation",
    (
        ACCOUNT_ID,
        CONVERSATION_ID,
        DATE,
        Column("type", TEXT, "LIVE_CHAT or MESSAGING.", "type"),
        Column("conversation_start_time", TIME, "The visitor entered the queue.", "conversationStartTime"),
        Column(
            "interaction_start_time",
            TIME,
            "Connection to an agent; NULL: never connected.",
            "interactionStartTime",
            null="never connected",
        ),
        Column("conversation_end_time", TIME, "The conversation ended.", "conversationEndTime"),
        Column(
            "consumer_id",
            TEXT,
            "Unique consumer identifier; NULL for most chats.",
            "consumerId",
            null="unknown, as for most chats",
        ),
        Column("is_interactive", BOOLEAN, "The source's flag: the visitor wrote a line.", "isInteractive"),
        Column("source_origin", TEXT, "Source of the conversation, such as Web.", "sourceOrigin"),
        Column("source_device", TEXT, "NA, DESKTOP, TABLET or MOBILE.", "sourceDevice"),
        Column("end_reason_id", INTEGER, "Why the conversation ended; labels in the table `end_reason`.", "endReasonId"),
        Column("campaign_id", BIGINT, "Campaign, from campaignData.", "campaignId", "campaignData"),
        Column(
            "campaign_engagement_id",
            BIGINT,
            "Engagement of the campaign, from campaignData.",
            "campaignEngagementId",
            "campaignData",
        ),
        Column("agent_id", TEXT, "The conversation's last agent.", "agentId"),
        Column("skill_id", BIGINT, "The conversation's last skill.", "skillId"),
        Column("skills", Type.BIGINTS, "All skills of the conversation, in the order sent.", "skills"),
        Column(
            "start_reason_id", INTEGER, "Why the conversation started; labels in the table `start_reason`.", "startReasonId"
        ),
        Column("start_page", TEXT, "Title of the page on which the conversation started.", "startPage"),
        Column("start_url", TEXT, "Address of the page on which the conversation started.", "startUrl"),
        Column("mcs", DOUBLE, "Meaningful Connection Score.", "mcs", sent_as="score"),
        Column("queue_start_time", TIME, "The visitor asked for a conversation.", "queueStartTime"),
        Column("queue_end_time", TIME, "The visitor was connected to an agent.", "queueEndTime"),
        Column(
            "secure_forms",
            TEXT,
            "JSON array of the secure forms, tags removed; NULL where there is none.",
            "secureForms",
            null="there is none",
            sent_as="forms",
        ),
        Column("visit_id", TEXT, "The visitor's session, from the header.", "visitId", "header"),
        Column("visitor_id", TEXT, "The visitor, from the header.", "visitorId", "header"),
        Column("context_id", TEXT, "Context, from the header.", "contextId", "header"),
        Column("schema_version", TEXT, "Version of the vendor's schema, from metaData.", null="metaData has none"),
        SOURCE_FILE,
        EXTRA,
        DELIVERY,
    ),
    key=("account_id", "conversation_id"),
)

MESSAGES = Table(
    "messages",
    "one row per line of a transcript",
    (
        ACCOUNT_ID,
        INHERITED_ID,
        DATE,
        Column("position", INTEGER, "0-based place in the transcript.", null=NEVER),
        Column("timestamp", TIME, "The message was published.", "timestamp"),
        Column("sent_by", TEXT, "Name of the visitor, nickname of the agent, or info for a control line.", "by"),
        Column("type", TEXT, "0 visitor, 1 agent, 2 control, 3 agent URL, 4 agent HTML, 5 agent comment.", "type"),
        Column("control_type", TEXT, "Type of predefined content.", "controlType"),
        Column("agent_id", TEXT, "The agent who published the message.", "agentId"),
        Column("content_format", TEXT, "NA, TEXT_PLAIN, IMG, TEXT_HTML, LINK or HOSTED_FILE.", "contentFormat"),
        Column("text", TEXT, "The message as it was sent.", "text"),
        Column("message_id", TEXT, "Unique message identifier.", "messageId"),
        Column("dialog_id", TEXT, "The dialog within the conversation.", "dialogId"),
        Column("file_caption", TEXT, "Text attached to a file, from fileData.", "caption", "fileData"),
        Column("file_type", TEXT, "JPG, PNG, GIF, TXT or PDF, from fileData.", "fileType", "fileData"),
        Column("link_url", TEXT, "Where the linked file is, from linkData.", "externalFileLink", "linkData"),
        Column("link_file_type", TEXT, "Type of the linked file, from linkData.", "fileType", "linkData"),
        Column("link_caption", TEXT, "Text attached to a link, from linkData.", "caption", "linkData"),
        Column("mcs", DOUBLE, "Meaningful Connection Score of the message.", "mcs", sent_as="score"),
        SOURCE_FILE,
        EXTRA,
        DELIVERY,
    ),
    key=("account_id", "conversation_id", "position"),
)

TRANSFERS = Table(
    "transfers",
    "one row per transfer of a conversation",
    (
        ACCOUNT_ID,
        INHERITED_ID,
        DATE,
        Column("position", INTEGER, "0-based place among the conversation's transfers.", null=NEVER),
        Column("timestamp", TIME, "The transfer took place.", "timestamp"),
        Column("skill_id", BIGINT, "Skill that the conversation left.", "skillId"),
        Column("target_skill_id", BIGINT, "Skill that the transfer went to.", "targetSkillId"),
        Column("agent_id", TEXT, "Agent who handed the conversation over.", "agentId"),
        Column("target_agent_id", TEXT, "Agent to whom the conversation went.", "targetAgentId"),
        Column("reason", BIGINT, "Reason for the transfer.", "reason"),
        Column("queue_start_time", TIME, "The visitor entered the queue of the transfer.", "queueStartTime"),
        Column("queue_end_time", TIME, "The visitor left the queue of the transfer.", "queueEndTime"),
        Column(
            "is_interactive",
            BOOLEAN,
            "The source's flag at the transfer: the visitor wrote a line; sent from schema 1.0.0.34 on.",
            "isInteractive",
        ),
        SOURCE_FILE,
        EXTRA,
        DELIVERY,
    ),
    key=("account_id", "conversation_id", "position"),
)

FILES = Table(
    "files",
    "one row per source file ever met",
    (
        Column("account_id", TEXT, "Account that the file was listed for, else the one its documents name.", null=NOT_TOLD),
        Column("name", TEXT, "Base name, as listed, with .gz.", null=NEVER),
        Column(
            "scope_start_time",
            TIME,
            "Start of the hour that the file covers: from its name, else from the listing.",
            null=NOT_TOLD,
        ),
        Column("scope_end_time", TIME, "End of the hour that the file covers.", null=NOT_TOLD),
        Column("status", TEXT, "loaded or rejected.", null=NEVER),
        Column("reason", TEXT, "Why the file was rejected; NULL otherwise.", null="loaded"),
        Column("bytes", BIGINT, "Size as served.", null=NEVER),
        Column("sha256", TEXT, "Digest of the file as served, in hexadecimal.", null=NEVER),
        Column("documents", BIGINT, "Documents in the file, loaded and rejected.", null=NEVER),
        Column("conversations", BIGINT, "Conversations read from the file, superseded ones included.", null=NEVER),
        Column("messages", BIGINT, "Transcript lines read from the file.", null=NEVER),
        Column("transfers", BIGINT, "Transfers read from the file.", null=NEVER),
        Column("rejects", BIGINT, "Documents that are in `rejects`.", null=NEVER),
        Column(
            "schema_versions",
            Type.TEXTS,
            "Versions of the vendor's schema that the file's documents name, sorted.",
            null=NEVER,
        ),
        Column("unknown_fields", Type.TEXTS, "Paths that went to `extra`, sorted, such as Conversation.newField.", null=NEVER),
        Column("downloaded_at", TIME, "The file came into the landing zone.", null=NEVER),
        Column("loaded_at", TIME, "The file's load finished.", null=NEVER),
        Column(
            "encrypted",
            BIGINT,
            "Values that are still armoured PGP messages in the tables: there was no key that decrypts them.",
            null=NEVER,
            is_hidden=True,
        ),
        Column(
            "landed_sha256",
            TEXT,
            "Digest of the landed file where it is no longer as served, because an erasure removed conversations; else NULL.",
            null="it is as served",
            is_hidden=True,
        ),
    ),
    partitioned=False,
)

REJECTS = Table(
    "rejects",
    "one row per document that could not be read",
    (
        ACCOUNT_ID,
        SOURCE_FILE,
        Column("document", BIGINT, "1-based place of the document in its file.", null=NEVER),
        Column("reason", TEXT, "What is wrong with the document, in a sentence.", null=NEVER),
        Column("raw", TEXT, "The document's text; bytes that are no UTF-8 are written as \\xNN.", null=NEVER),
    ),
    partitioned=False,
)

LISTINGS = Table(
    "listings",
    "one row per account and hour that the API was asked about, once the hour was over",
    (
        Column("account_id", TEXT, "The account whose files were listed.", null=NEVER),
        Column("hour", TIME, "Start of the hour.", null=NEVER),
        Column("listed_at", TIME, "When the API answered last.", null="the API never answered"),
        Column(
            "files",
            BIGINT,
            "How many files the API listed for the hour; 0: it said that there are none.",
            null="the day could not be listed when it was asked for last",
        ),
        Column(
            "missing",
            Type.TEXTS,
            "Names of the files that the run could not download; empty where all are in the lake.",
            null=NEVER,
        ),
    ),
    partitioned=False,
)

INDEX = Table(
    "conversation_dates",
    "one row per conversation and partition that it was ever put into: where to look for earlier deliveries",
    (
        Column("key", BIGINT, "63 bits of the conversation id's MD5; not unique.", null=NEVER),
        DATE,
    ),
    partitioned=False,
    is_compressed=False,
)
"""Each of its Parquet files holds one account, or the few with the same hash; the label of the file names the hash."""

ERASURES = Table(
    "erasures",
    "one row per request to erase and per conversation erased; it blocks re-import",
    (
        Column("kind", TEXT, "conversation, consumer or visitor; check: the key is that of a constant.", null=NEVER),
        Column(
            "key", TEXT, "HMAC-SHA256 of the id, in hexadecimal, under the secret of the lake's file erasure.key.", null=NEVER
        ),
        Column(
            "requested_at",
            TIME,
            "Conversations that ended before this time are erased; a conversation's own tombstone holds for ever.",
            null=NEVER,
        ),
    ),
    partitioned=False,
)

TYPE, CAMPAIGN_ID, SOURCE_ORIGIN, SOURCE_DEVICE = (
    replace(column, field=None, container=None)
    for name in ("type", "campaign_id", "source_origin", "source_device")
    for column in CONVERSATIONS.columns
    if column.name == name
)
_FACT_ID = replace(CONVERSATION_ID, field=None)
_OF_A_FACT = (ACCOUNT_ID, _FACT_ID, DATE, TYPE, CAMPAIGN_ID, SOURCE_ORIGIN, SOURCE_DEVICE)
_OF_A_DELIVERY = (replace(SOURCE_FILE, is_hidden=True), DELIVERY)
_NO_END = "an end is missing, or the time would be negative"
_NO_AGENT = "no agent is known"

QUEUE_ENTRIES = Table(
    "queue_entries",
    "one row per time that a visitor entered a queue",
    (
        *_OF_A_FACT,
        Column("entry_number", BIGINT, "1 for the start of the conversation, then each transfer into a queue.", null=NEVER),
        Column(
            "is_transfer",
            BOOLEAN,
            "True where a transfer put the visitor into the queue; false for the queue of the start.",
            null=NEVER,
        ),
        Column("skill_id", BIGINT, "Skill whose queue it was.", null="not known"),
        Column("entered_time", TIME, "The visitor entered the queue.", null="not sent"),
        Column("entered_date", Type.DAY, "UTC date of entering, else of the conversation.", null=NEVER),
        Column("left_time", TIME, "The visitor left the queue.", null="not known"),
        Column("wait_milliseconds", BIGINT, "From entering to leaving.", null=_NO_END),
        Column("outcome", TEXT, "answered, moved (on by a transfer), abandoned or unknown.", null=NEVER),
        Column("agent_id", TEXT, "Agent who answered.", null=f"not answered, or {_NO_AGENT}"),
        *_OF_A_DELIVERY,
    ),
    key=("account_id", "conversation_id", "entry_number"),
)

SEGMENTS = Table(
    "segments",
    "one row per part of a conversation that one agent had",
    (
        *_OF_A_FACT,
        Column("segment_number", BIGINT, "1-based, in the order of the transfers.", null=NEVER),
        Column("is_last", BOOLEAN, "True for the last segment of its conversation.", null=NEVER),
        Column("skill_id", BIGINT, "Skill of the segment.", null="not known"),
        Column("agent_id", TEXT, "Agent who had the segment.", null=_NO_AGENT),
        Column("agent_nickname", TEXT, "Name that the agent's last line of the segment carries.", null="no line, or no name"),
        Column("opened_time", TIME, "The connection, or the transfer.", null="not sent"),
        Column(
            "assigned_time",
            TIME,
            "Start of the agent's part: the connection, or the end of a transfer's queue.",
            null="not sent",
        ),
        Column("ended_time", TIME, "The next transfer, else the end of the conversation.", null="not sent"),
        Column("engaged_milliseconds", BIGINT, "From the assignment to the end.", null=_NO_END),
        Column("agent_line_count", BIGINT, "Agent lines from the assignment on, before the end.", null=NEVER),
        Column("visitor_line_count", BIGINT, "Visitor lines from the assignment on, before the end.", null=NEVER),
        Column("first_response_milliseconds", BIGINT, "From the assignment to the earliest agent line.", null=_NO_END),
        Column(
            "first_response_from_opening_milliseconds",
            BIGINT,
            "From the connection or transfer to the earliest agent line, a queue in between included.",
            null=_NO_END,
        ),
        Column("bounce_count", BIGINT, "Earlier runs of segments with the same skill: 0, 0, 1 for A B A.", null=NEVER),
        Column("scored_line_count", BIGINT, "Visitor lines with a score.", null=NEVER),
        Column("mcs_first", DOUBLE, "Score of the first visitor line that has one.", null="none has one"),
        Column("mcs_last", DOUBLE, "Score of the last visitor line that has one.", null="none has one"),
        *_OF_A_DELIVERY,
    ),
    key=("account_id", "conversation_id", "segment_number"),
)

RESPONSES = Table(
    "responses",
    "one row per answer of an agent to a visitor",
    (
        *_OF_A_FACT,
        Column("response_number", BIGINT, "1-based within the conversation.", null=NEVER),
        Column("segment_number", BIGINT, "Segment in which the response falls.", null="the response falls in no segment"),
        Column("skill_id", BIGINT, "Skill of the segment in which the response falls.", null="not known"),
        Column("agent_id", TEXT, "Author of the answer.", null=_NO_AGENT),
        Column("visitor_time", TIME, "First line of the visitor's run of lines.", null="not sent"),
        Column("response_time", TIME, "The agent's line.", null="not sent"),
        Column("response_milliseconds", BIGINT, "From the visitor's line to the agent's.", null=_NO_END),
        Column(
            "from_assignment_milliseconds",
            BIGINT,
            "From the later of the visitor's line and the segment's assignment to the agent's line.",
            null=_NO_END,
        ),
        Column(
            "former_skill_id",
            BIGINT,
            "Skill of the response before, else of the agent's greeting, which the visitor answers.",
            null="not known; the visitor began",
        ),
        Column(
            "former_agent_id",
            TEXT,
            "Author of the response before, else of the agent's greeting.",
            null=f"{_NO_AGENT}; the visitor began",
        ),
        Column(
            "visitor_response_milliseconds",
            BIGINT,
            "From the agent's response before, else the greeting, to the visitor's line: the visitor's own answer.",
            null=f"{_NO_END}; the visitor began",
        ),
        *_OF_A_DELIVERY,
    ),
    key=("account_id", "conversation_id", "response_number"),
)

CONVERSATION_METRICS = Table(
    "conversation_metrics",
    "one row per conversation: its waits, its length, its lines, its parts, the agents' response times",
    (
        *_OF_A_FACT[:4],
        Column("skill_id", BIGINT, "The conversation's last skill."),
        Column("agent_id", TEXT, "The conversation's last agent.", null=_NO_AGENT),
        CAMPAIGN_ID,
        SOURCE_ORIGIN,
        SOURCE_DEVICE,
        Column("is_interactive", BOOLEAN, "The visitor wrote a line, as the source says of the last part."),
        Column("mcs", DOUBLE, "Meaningful Connection Score."),
        Column("conversation_start_time", TIME, "The visitor entered the queue."),
        Column("conversation_end_time", TIME, "The conversation ended."),
        Column(
            "is_connected",
            BOOLEAN,
            "True where an agent, person or bot, was connected: interaction_start_time is not NULL.",
            null=NEVER,
        ),
        Column(
            "is_abandoned",
            BOOLEAN,
            "True where no agent, person or bot, was ever connected: interaction_start_time is NULL.",
            null=NEVER,
        ),
        Column("queue_seconds", DOUBLE, "Start to end of the queue; if abandoned without one, to the end.", null=_NO_END),
        Column("transfer_count", BIGINT, "Transfers.", null=NEVER),
        Column("transfer_queue_seconds", DOUBLE, "Sum of the waits in queues of transfers.", null=NEVER),
        Column("total_queue_seconds", DOUBLE, "Sum of queue_seconds and transfer_queue_seconds.", null="queue_seconds is NULL"),
        Column("duration_seconds", DOUBLE, "Start to end of the conversation.", null=_NO_END),
        Column("chat_seconds", DOUBLE, "Connection to end of the conversation.", null=f"not connected, or {_NO_END}"),
        Column("visitor_line_count", BIGINT, "Messages of type 0.", null=NEVER),
        Column("agent_line_count", BIGINT, "Messages of type 1, 3 or 4.", null=NEVER),
        Column("first_response_seconds", DOUBLE, "Connection to the earliest agent line at or after it.", null="there is none"),
        Column("first_reply_seconds", DOUBLE, "The visitor's first line to the first agent line after it.", null=_NO_END),
        Column("response_count", BIGINT, "Responses, timed or not.", null=NEVER),
        Column("response_avg_seconds", DOUBLE, "Mean time of the answers with a time.", null="there is none"),
        Column("response_max_seconds", DOUBLE, "Longest time of a response.", null="there is none"),
        Column("person_id", TEXT, "consumer_id, else visitor_id.", null="neither is known"),
        Column("first_skill_id", BIGINT, "Skill that the first transfer left, else the last skill."),
        Column("first_agent_id", TEXT, "Agent whom the first transfer left, else the last agent.", null=_NO_AGENT),
        Column("segment_count", BIGINT, "Segments.", null=NEVER),
        Column("agent_count", BIGINT, "Different agents of the conversation's segments.", null=NEVER),
        Column("start_reason_id", INTEGER, "Why the conversation started; labels in the table `start_reason`."),
        Column("end_reason_id", INTEGER, "Why the conversation ended; labels in the table `end_reason`."),
        Column("queue_entry_count", BIGINT, "Rows of `queue_entries`.", null=NEVER),
        Column("answered_entry_count", BIGINT, "Queue entries that were answered.", null=NEVER),
        Column("abandoned_entry_count", BIGINT, "Queue entries that were abandoned.", null=NEVER),
        Column("moved_entry_count", BIGINT, "Queue entries that a transfer moved on.", null=NEVER),
        Column(
            "was_interactive",
            BOOLEAN,
            "True where the visitor wrote a line, as the source says of the last part or of a transfer.",
        ),
        Column("scored_line_count", BIGINT, "Visitor lines with a score.", null=NEVER),
        Column("mcs_first", DOUBLE, "Score of the first visitor line that has one.", null="none has one"),
        Column("mcs_last", DOUBLE, "Score of the last visitor line that has one.", null="none has one"),
        *_OF_A_DELIVERY,
    ),
    key=("account_id", "conversation_id"),
)

_OF_A_LOAD: Final = "not a sync or a load, or it did not come so far"
RUNS = Table(
    "runs",
    "one row per run of a command that writes, and account that it asked for; one for all others",
    (
        Column("run_id", TEXT, "Random; the same in the log of the run.", null=NEVER),
        Column("command", TEXT, "The command: sync, load, compact, upgrade, rebuild, erase or demo.", null=NEVER),
        Column("account_id", TEXT, "The LivePerson account that a sync asked for.", null="not a sync, or it came to none"),
        Column("version", TEXT, "Version of the program.", null=NEVER),
        Column("host", TEXT, "Name of the machine.", null=NEVER),
        Column("began_at", TIME, "The run began.", null=NEVER),
        Column("ended_at", TIME, "The run ended.", null="it goes on, or was killed"),
        Column("result", TEXT, "complete, set aside, or failed.", null="it goes on, or was killed"),
        Column(
            "exit_code",
            INTEGER,
            "As the command's, of this account alone: 0 complete, 1 failed, 2 wrong setting, 3 set aside, above 128 a signal.",
            null="it goes on, or was killed",
        ),
        Column(
            "error",
            TEXT,
            "Kind of the error: credentials, network, source, settings, disk, lake, damage, output, system, signal or bug.",
            null="none",
        ),
        *(
            Column(name, BIGINT, about, null=_OF_A_LOAD)
            for name, about in {
                "listed_files": "Files that the API listed.",
                "known_files": "Files listed that the lake had.",
                "loaded_files": "Files loaded.",
                "unchanged_files": "Files that were loaded before.",
                "rejected_files": "Files that could not be read.",
                "failed_files": "Files that could not be downloaded.",
                "unlisted_days": "Days that could not be listed, in whole or in part.",
                "conversations": "Conversations in loaded files.",
                "messages": "Messages in loaded files.",
                "transfers": "Transfers in loaded files.",
                "rejected_documents": "Documents that could not be read.",
                "downloaded_bytes": "Bytes downloaded.",
            }.items()
        ),
        Column("details", TEXT, "JSON object of other counts: what compact, upgrade, rebuild and erase did.", null="none"),
    ),
    key=("run_id", "account_id"),
    partitioned=False,
)
"""Kept by `lake.runs`, beside the tables: commits do not name them."""

FACTS: dict[str, Table] = {table.name: table for table in (CONVERSATION_METRICS, QUEUE_ENTRIES, SEGMENTS, RESPONSES)}
"""Computed at load from the rows of one delivery of a conversation, by the SQL file of their name in `sql/facts`."""

TABLES: dict[str, Table] = {
    **{table.name: table for table in (CONVERSATIONS, MESSAGES, TRANSFERS)},
    **FACTS,
    **{table.name: table for table in (FILES, REJECTS, LISTINGS)},
}
"""The tables that users see."""

STORED: dict[str, Table] = {**TABLES, INDEX.name: INDEX, ERASURES.name: ERASURES}
"""All tables of a lake."""

SENT: tuple[str, ...] = (CONVERSATIONS.name, MESSAGES.name, TRANSFERS.name)
"""The tables whose rows a source file brings; the ledger counts them."""

DELIVERED: tuple[str, ...] = (*SENT, *FACTS)
"""The tables whose rows belong to a delivery of a conversation: its records, and the facts that follow from them."""


@dataclass(frozen=True, eq=False)
class RecordType:
    """A record type of the vendor's schema: the fields that it has, and where their values go.

    A field that is in none of the four mappings is unknown: `extra` keeps it.
    """

    name: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    """The column that each field fills."""
    values: Mapping[str, Type] = field(default_factory=dict)
    """Fields above the conversations which are read for them, but fill no column by themselves."""
    records: Mapping[str, "RecordType"] = field(default_factory=dict)
    """Fields that hold one record."""
    lists: Mapping[str, "RecordType"] = field(default_factory=dict)
    """Fields that hold a list of records."""
    row_of: Table | None = None
    """The table that gets a row for each record of this type."""

    @cached_property
    def known(self) -> dict[str, str]:
        """The spelling of every known field by its lower case: the vendor writes both skillID and skillId."""
        return {name.lower(): name for name in (*self.columns, *self.values, *self.records, *self.lists)}

    def walk(self) -> Iterator["RecordType"]:
        """This type and every type below it, in the order in which a document has them."""
        yield self
        for inner in (*self.records.values(), *self.lists.values()):
            yield from inner.walk()


def _fields(table: Table, container: str | None = None) -> dict[str, Column]:
    return {column.field: column for column in table.columns if column.field and column.container == container}


_MESSAGE = RecordType(
    "Message",
    _fields(MESSAGES),
    records={
        "fileData": RecordType("FileData", _fields(MESSAGES, "fileData")),
        "linkData": RecordType("LinkData", _fields(MESSAGES, "linkData")),
    },
    row_of=MESSAGES,
)
_CONVERSATION = RecordType(
    "Conversation",
    _fields(CONVERSATIONS),
    records={"campaignData": RecordType("CampaignData", _fields(CONVERSATIONS, "campaignData"))},
    lists={"transcripts": _MESSAGE, "transfers": RecordType("Transfer", _fields(TRANSFERS), row_of=TRANSFERS)},
    row_of=CONVERSATIONS,
)
_BODY = RecordType(
    "EngagementData",
    records={"header": RecordType("VisitorHeader", _fields(CONVERSATIONS, "header"))},
    lists={"engagements": _CONVERSATION},
)
DOCUMENT: Final = RecordType(
    "Document",
    values={"dataType": TEXT},
    records={
        "metaData": RecordType(
            "MetaData", values={"accountId": TEXT, "schemaVersion": TEXT, "startTime": TIME, "endTime": TIME}
        )
    },
    lists={"recordCollection": RecordType("Record", records={"body": _BODY})},
)
"""An Engagement document, with all that is in it."""

RECORD_TYPES: Final[Mapping[str, RecordType]] = {type_.name: type_ for type_ in DOCUMENT.walk()}
"""Every record type by its name."""
