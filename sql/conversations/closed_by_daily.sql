-- Conversations by who ended them: the agent, the visitor or the system.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type and ended_with_bot with a
--          conversation.
-- Counts:  conversations by their end reason: closed_by of the table end_reason. Codes that the table does not list,
--          and conversations without one, are in unknown_closed_count. ended_with_bot: a bot had the conversation
--          last, and the visitor did not give up in a queue of people; so a bot's end is no agent's.
-- Units:   counts, and shares of conversation_count from 0 to 1.
-- Source:  closed by agent, consumer, system as in Analytics Builder; endReasonId of Conversation.
-- Twins:   local_date, local_week, local_month

select
    conversation.account_id,
    conversation.date,
    conversation.type,
    conversation.ended_with_bot,
    count(*) as conversation_count,  -- Conversations.
    count(*) filter (where end_reason.closed_by = 'agent')
        as agent_closed_count,  -- Conversations that the agent ended.
    agent_closed_count / count(*) as agent_closed_share,  -- agent_closed_count / conversation_count.
    count(*) filter (where end_reason.closed_by = 'visitor')
        as visitor_closed_count,  -- Conversations that the visitor ended.
    visitor_closed_count / count(*) as visitor_closed_share,  -- visitor_closed_count / conversation_count.
    count(*) filter (where end_reason.closed_by = 'system')
        as system_closed_count,  -- Conversations that the system ended.
    system_closed_count / count(*) as system_closed_share,  -- system_closed_count / conversation_count.
    count(*) filter (where end_reason.closed_by is null)
       
        as unknown_closed_count,  -- Conversations without an end reason, or with one that the code table lacks.
    unknown_closed_count / count(*) as unknown_closed_share  -- unknown_closed_count / conversation_count.
from named_conversations as conversation
left join end_reason on conversation.end_reason_id = end_reason.code
group by conversation.account_id, conversation.date, conversation.type, conversation.ended_with_bot
