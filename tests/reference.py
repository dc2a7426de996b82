"""A second, slow decoder to hold the product against: the standard library's `json` and one plain function for each rule.

It follows the contract ("Tables", "What the rows promise", "Readings") and shares nothing with `pipeline`. Numbers are `Decimal`
from the moment they are parsed, so they stay exact; `extra` and `secure_forms` are values here, not text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_TIME = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z
LAST_TIME = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z
MISFIT = object()

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
ISO_TIME = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T ](?P<hour>\d\d):(?P<minute>\d\d)(:(?P<second>\d\d)([.,](?P<part>\d+))?)?"
    r"(?P<zone>[Zz]|[+-]\d\d:?\d\d|[+-]\d\d)?",
    re.ASCII,
)
PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string", "array", "map")

# column -> (the API's field in all its spellings, type)
CONVERSATION = {
    "type": ("type", "text"),
    "conversation_start_time": ("conversationStartTime", "time"),
    "interaction_start_time": ("interactionStartTime", "time"),
    "conversation_end_time": ("conversationEndTime", "time"),
    "consumer_id": ("consumerId", "text"),
    "is_interactive": ("isInteractive", "boolean"),
    "source_origin": ("sourceOrigin", "text"),
    "source_device": ("sourceDevice", "text"),
    "end_reason_id": ("endReasonId", "integer"),
    "agent_id": ("agentId", "text"),
    "skill_id": ("skillId", "bigint"),
    "skills": ("skills", "bigints"),
    "start_reason_id": ("startReasonId", "integer"),
    "start_page": ("startPage", "text"),
    "start_url": ("startUrl", "text"),
    "queue_start_time": ("queueStartTime", "time"),
    "queue_end_time": ("queueEndTime", "time"),
}
CAMPAIGN = {"campaign_id": ("campaignId", "bigint"), "campaign_engagement_id": ("campaignEngagementId", "bigint")}
HEADER = {"visit_id": ("visitId", "text"), "visitor_id": ("visitorId", "text"), "context_id": ("contextId", "text")}
MESSAGE = {
    "timestamp": ("timestamp", "time"),
    "sent_by": ("by", "text"),
    "type": ("type", "text"),
    "control_type": ("controlType", "text"),
    "agent_id": ("agentId", "text"),
    "content_format": ("contentFormat", "text"),
    "text": ("text", "text"),
    "message_id": ("messageId", "text"),
    "dialog_id": ("dialogId", "text"),
}
FILE = {"file_caption": ("caption", "text"), "file_type": ("fileType", "text")}
LINK = {"link_url": ("externalFileLink", "text"), "link_file_type": ("fileType", "text"), "link_caption": ("caption", "text")}
TRANSFER = {
    "timestamp": ("timestamp", "time"),
    "skill_id": ("skillId", "bigint"),
    "target_skill_id": ("targetSkillId", "bigint"),
    "agent_id": ("agentId", "text"),
    "target_agent_id": ("targetAgentId", "text"),
    "reason": ("reason", "bigint"),
    "queue_start_time": ("queueStartTime", "time"),
    "queue_end_time": ("queueEndTime", "time"),
    "is_interactive": ("isInteractive", "boolean"),
}
