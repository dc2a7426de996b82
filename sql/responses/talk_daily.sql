-- How much agents and visitors write.
-- Grain:   one row per account_id, date (UTC, of the conversation's start) and type with a conversation.
-- Counts:  all conversations; lines as in conversation_metrics: control lines and private comments are none.
-- Units:   counts; talk_ratio is agent lines for each visitor line, NULL where visitors wrote none.
-- Source:  message counts as in Analytics Builder; the ratio is ours.
-- Twins:   local_date, local_week, local_month

select
    account_id,
    date,
    type,
    count(*) as conversation_count,  -- Conversations.
    sum(agent_line_count)::bigint as agent_line_count,  -- Lines by agents.
    sum(visitor_line_count)::bigint as visitor_line_count,  -- Lines by visitors.
    sum(agent_line_count) / nullif(sum(visitor_line_count), 0) as talk_ratio,  -- agent_line_count / visitor_line_count.
    count(*) filter (where agent_line_count > 0 and visitor_line_count > 0)
        as two_way_count,  -- Conversations in which both sides wrote.
    count(*) filter (where agent_line_count = 0 and visitor_line_count > 0)
        as unanswered_count,  -- Conversations in which the visitor wrote and no agent did.
    count(*) filter (where visitor_line_count = 0) as silent_count  -- Conversations in which the visitor wrote nothing.
from named_conversations
group by account_id, date, type
