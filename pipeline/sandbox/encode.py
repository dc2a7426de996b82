"""Avro's JSON encoding of Engagement documents, as the vendor's page shows it.

Every field of every record is written. A nullable one is `null` or an object of one key, the type: `{"string": "x"}`.
All but `compact` take and return pieces of JSON text: half a million messages a minute leave no time for dictionaries.
"""

import json
from typing import Any, NamedTuple

NULL = "null"
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))  # made once: `json.dumps` makes one for each value
# One element of `transcripts`, to be filled with: text, timestamp, by, type, controlType, agentId, contentFormat,
# messageId, dialogId, fileData, linkData, mcs. The type, format and message id are bare text, everything else is JSON.
MESSAGE = (
    '{"text":%s,"timestamp":{"long":%d},"by":{"string":%s},"type":{"string":"%s"},"controlType":%s,"agentId":%s,'
    '"contentFormat":{"string":"%s"},"messageId":{"string":"%s"},"dialogId":%s,"fileData":%s,"linkData":%s,"mcs":%s}'
)
_TRANSFER = (
    '{"timestamp":{"string":"%d"},"skillId":{"long":%d},"targetSkillId":{"long":%d},"agentId":%s,"targetAgentId":%s,'
    '"reason":{"long":%d},"queueStartTime":{"long":%d},"queueEndTime":%s%s}'
)
_CONVERSATION = (
    '{"com.liveperson.dataaccess.Conversation":{"type":{"com.liveperson.dataaccess.ConversationType":"%s"},'
    '"conversationId":{"string":"%s"},"conversationStartTime":{"long":%d},"interactionStartTime":%s,'
    '"conversationEndTime":{"long":%d},"consumerId":%s,"isInteractive":{"boolean":%s},"sourceOrigin":{"string":"%s"},'
    '"sourceDevice":%s,"endReasonId":{"int":%d},"campaignData":%s,"agentId":%s,"skillId":{"long":%d},'
    '"skills":{"array":[%s]},"startReasonId":{"int":%d},"startPage":%s,"startUrl":%s,"transcripts":{"array":[%s]},'
    '"transfers":{"array":[%s]},"secureForms":{"array":[%s]},"mcs":%s,"queueStartTime":{"long":%d},"queueEndTime":%s}}'
)
_SCORES = [f'{{"com.liveperson.dataaccess.MCS":{{"mcs":{{"double":{score}.0}}}}}}' for score in range(101)]
_BODY = (
    '{"body":{"com.liveperson.dataaccess.EngagementData":{"header":{"com.liveperson.dataaccess.VisitorHeader":'
    '{"visitId":{"string":"%s"},"visitorId":{"string":"%s"},"contextId":{"string":"%s"}}},"engagements":{"array":[%s]}}}}'
)
_META = '{"accountId":{"string":"%s"},"schemaVersion":"%s","startTime":{"long":%d},"endTime":{"long":%d}}'
_BARE = '{"dataType":{"com.liveperson.dataaccess.DataTypeEnum":"Engagement"},"metaData":%s,"recordCollection":[%s]}'
_TAGGED = (
    '{"dataType":{"com.liveperson.dataaccess.DataTypeEnum":"Engagement"},'
    '"metaData":{"com.liveperson.dataaccess.MetaData":%s},"recordCollection":{"array":[%s]}}'
)


class TransferFields(NamedTuple):
    """The values of one transfer; `is_interactive` is "" in the older schema, which has no such field."""

    timestamp: int
    skill_id: int
    target_skill_id: int
    agent_id: str
    target_agent_id: str
    reason: int
    queue_start_time: int
    queue_end_time: str
    is_interactive: str


class ConversationFields(NamedTuple):
    """The values of one conversation, in the order of the vendor's example with `agentId` and `skillId` put in."""

    type: str
    conversation_id: str
    start_time: int
    interaction_start_time: str
    end_time: int
    consumer_id: str
    is_interactive: str
    source_origin: str
    source_device: str
    end_reason_id: int
    campaign_data: str
    agent_id: str
    skill_id: int
    skills: str
    start_reason_id: int
    start_page: str
    start_url: str
    transcripts: str
    transfers: str
    secure_forms: str
    mcs: str
    queue_start_time: int
    queue_end_time: str


def compact(value: Any) -> bytes:
    """A JSON text without blanks, as the API sends it."""
    return _JSON.encode(value).encode()


def quoted(value: str) -> str:
    """A JSON string."""
    return _JSON.encode(value)


def string(value: str | None) -> str:
    """A nullable string; it needs no escaping, or is escaped by `quoted` first (see `text`)."""
    return NULL if value is None else f'{{"string":"{value}"}}'


def text(value: str | None) -> str:
    """A nullable string of any characters."""
    return NULL if value is None else f'{{"string":{quoted(value)}}}'


def long(value: int | None) -> str:
    """A nullable long."""
    return NULL if value is None else f'{{"long":{value}}}'


def mcs(score: int | None) -> str:
    """The nullable record around a Meaningful Connection Score, 0 to 100. The vendor does not document its inside."""
    return NULL if score is None else _SCORES[score]


def device(name: str | None) -> str:
    """The nullable enumeration NA, DESKTOP, TABLET, MOBILE."""
    return NULL if name is None else f'{{"com.liveperson.dataaccess.DeviceType":"{name}"}}'


def campaign(campaign_id: int, engagement_id: int) -> str:
    """The record `campaignData`."""
    fields = f'{{"campaignId":{{"long":{campaign_id}}},"campaignEngagementId":{{"long":{engagement_id}}}}}'
    return f'{{"com.liveperson.dataaccess.CampaignData":{fields}}}'


def file_data(caption: str | None, file_type: str) -> str:
    """The record `fileData` of a message."""
    return f'{{"com.liveperson.dataaccess.FileData":{{"caption":{text(caption)},"fileType":{{"string":"{file_type}"}}}}}}'


def link_data(link: str, file_type: str, caption: str | None) -> str:
    """The record `linkData` of a message."""
    fields = f'"externalFileLink":{text(link)},"fileType":{{"string":"{file_type}"}},"caption":{text(caption)}'
    return f'{{"com.liveperson.dataaccess.LinkData":{{{fields}}}}}'


def secure_form(form_id: str, name: str, *, submitted_ms: int | None) -> str:
    """A secure form; its inside is not documented either. `submitted_ms` is None for one that was never sent."""
    return f'{{"formId":{{"string":"{form_id}"}},"formName":{{"string":"{name}"}},"submitTime":{long(submitted_ms)}}}'


def transfer(fields: TransferFields) -> str:
    """One element of `transfers`."""
    return _TRANSFER % fields


def conversation(fields: ConversationFields) -> str:
    """One element of `engagements`."""
    return _CONVERSATION % fields


def body(visit_id: str, visitor_id: str, context_id: str, engagements: str) -> str:
    """The one record of a document: who visited, and the conversations of the visit."""
    return _BODY % (visit_id, visitor_id, context_id, engagements)


def document(account_id: str, starts: int, ends: int, record: str, *, is_tagged: bool) -> str:
    """A whole document in one line; `starts` and `ends` of the visitor session in epoch milliseconds."""
    meta = _META % (account_id, "1.0.0.35" if is_tagged else "1.0.0.22", starts, ends)
    return (_TAGGED if is_tagged else _BARE) % (meta, record)
