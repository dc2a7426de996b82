-- The lines of visitor and agent: the transcript without control lines and private comments.
-- Grain:   one row per message of type 0 (visitor) or 1, 3, 4 (agent).
-- Counts:  control lines (2), private comments (5) and lines of an unknown or missing type belong to neither side:
--          they are not counted, and do not interrupt a run of lines.
-- Units:   position counts from 0 within the transcript, as in messages.
-- Source:  type of Message: 0 VISITOR_LINE, 1 REP_LINE, 3 REP_URL_LINE, 4 REP_HTML_LINE.

select
    account_id,
    conversation_id,
    date,
    position,
    timestamp,
    agent_id,
    type <> '0' as is_agent  -- An agent wrote the line, else the visitor.
from messages
where type in ('0', '1', '3', '4')
