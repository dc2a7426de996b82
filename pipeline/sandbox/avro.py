"""The Avro schema of Engagement documents, as `le/schema` answers it."""

from typing import Any

_NAMESPACE = "com.liveperson.dataaccess"
_TEXT, _LONG, _INT, _FLAG, _DOUBLE = ("string", "long", "int", "boolean", "double")

VERSIONS = {True: "1.0.0.35", False: "1.0.0.22"}
"""Of the schema that the sandbox writes, by whether it tags all unions of a document."""


def engagement_schema(*, is_tagged: bool) -> dict[str, Any]:
    """The schema of one of the two versions that the sandbox writes: 1.0.0.35, or 1.0.0.22."""
    meta = _record("MetaData", accountId=_TEXT, startTime=_LONG, endTime=_LONG)
    meta["fields"].insert(1, {"name": "schemaVersion", "type": _TEXT})
    conversations = _list(["null", _conversation(is_tagged=is_tagged)])
    data = _record("EngagementData", header=_record("VisitorHeader", visitId=_TEXT, visitorId=_TEXT, contextId=_TEXT))
    data["fields"].append(_field("engagements", conversations))
    records: Any = {
        "type": "array",
        "items": {**_record("DataRecord"), "fields": [{"name": "body", "type": ["null", data]}]},
    }
    fields = [
        _field("dataType", _enum("DataTypeEnum", "AgentActivity", "WebSession", "Engagement", "Survey")),
        {"name": "metaData", "type": ["null", meta] if is_tagged else meta},
        {"name": "recordCollection", "type": ["null", records] if is_tagged else records},
    ]
    return {**_record("DataAccessFile"), "fields": fields}


def _conversation(*, is_tagged: bool) -> dict[str, Any]:
    transfer = _record(
        "Transfer", timestamp=_TEXT, skillId=_LONG, targetSkillId=_LONG, agentId=_TEXT, targetAgentId=_TEXT,
        reason=_LONG, queueStartTime=_LONG, queueEndTime=_LONG, **({"isInteractive": _FLAG} if is_tagged else {}),
    )  # fmt: skip
    return _record(
        "Conversation", type=_enum("ConversationType", "LIVE_CHAT", "MESSAGING"), conversationId=_TEXT,
        conversationStartTime=_LONG, interactionStartTime=_LONG, conversationEndTime=_LONG, consumerId=_TEXT,
        isInteractive=_FLAG, sourceOrigin=_TEXT, sourceDevice=_enum("DeviceType", "NA", "DESKTOP", "TABLET", "MOBILE"),
        endReasonId=_INT, campaignData=_record("CampaignData", campaignId=_LONG, campaignEngagementId=_LONG),
        agentId=_TEXT, skillId=_LONG, skills=_list(_LONG), startReasonId=_INT, startPage=_TEXT, startUrl=_TEXT,
        transcripts=_list(_message()), transfers=_list(transfer),
        secureForms=_list(_record("SecureForm", formId=_TEXT, formName=_TEXT, submitTime=_LONG)),
        mcs=f"{_NAMESPACE}.MCS", queueStartTime=_LONG, queueEndTime=_LONG,
    )  # fmt: skip


def _message() -> dict[str, Any]:
    return _record(
        "Message", text=_TEXT, timestamp=_LONG, by=_TEXT, type=_TEXT, controlType=_TEXT, agentId=_TEXT,
        contentFormat=_TEXT, messageId=_TEXT, dialogId=_TEXT,
        fileData=_record("FileData", caption=_TEXT, fileType=_TEXT),
        linkData=_record("LinkData", externalFileLink=_TEXT, fileType=_TEXT, caption=_TEXT),
        mcs=_record("MCS", mcs=_DOUBLE),
    )  # fmt: skip


def _record(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "namespace": _NAMESPACE,
        "fields": [_field(field, kind) for field, kind in fields.items()],
    }


def _field(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind]}


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _enum(name: str, *symbols: str) -> dict[str, Any]:
    return {"type": "enum", "name": name, "namespace": _NAMESPACE, "symbols": list(symbols)}
