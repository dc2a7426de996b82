-- What visitor and agent said to each other: the transcript without control lines and private comments.
-- Grain:   one row per message of type 0 (visitor) or 1, 3, 4 (agent).
-- Counts:  lines of another type belong to neither side, and do not interrupt a run of lines. opens_turn: the line
--          before it is the other side's, or there is none. visitor_mcs: score of a visitor line.
-- Units:   the order is that of the rows: those of a delivery stand together, by position. Times are as sent, so the
--          clock can run backwards.
-- Source:  type of Message: 0 VISITOR_LINE, 1 REP_LINE, 3 REP_URL_LINE, 4 REP_HTML_LINE.

select
    delivery_key,
    position,
    timestamp,
    agent_id,
    sent_by,
    type <> '0' as is_agent,
    case when type = '0' then mcs end as visitor_mcs,
    is_agent is distinct from lag(is_agent) over () or delivery_key is distinct from lag(delivery_key) over ()
        as opens_turn
from messages
where type in ('0', '1', '3', '4')
