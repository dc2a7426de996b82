-- What visitor and agent said to each other: the transcript without control lines and private comments.
-- Grain:   one row per message of type 0 (visitor) or 1, 3, 4 (agent).
-- Counts:  lines of another type belong to neither side, and do not interrupt a run of lines. opens_turn: the line
--          before it is the other side's, or there is none.
-- Units:   order is that of position; times are as sent, so the clock can run backwards.
-- Source:  type of Message: 0 VISITOR_LINE, 1 REP_LINE, 3 REP_URL_LINE, 4 REP_HTML_LINE.

select
    delivery_key,
    position,
    timestamp,
    case when agent_id not in ('', '0') then agent_id end as agent_id,
    type <> '0' as is_agent,
    is_agent is distinct from lag(is_agent) over (partition by delivery_key order by position) as opens_turn
from messages
where type in ('0', '1', '3', '4')
