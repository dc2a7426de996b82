-- Interactivity of conversations: the source's flag, and the transcript's answer.
-- Grain:   one row per row of conversations.
-- Counts:  has_visitor_line: the visitor wrote. is_interactive_recomputed: of a MESSAGING conversation, the visitor
--          answered an agent; of any other, the visitor wrote. is_non_responsive: connected, the visitor wrote, no
--          agent line.
-- Units:   booleans.
-- Source:  isInteractive of Conversation, type of Message; interactive and non-responsive agent as in Analytics
--          Builder.

with spoken as (
    select
        account_id,
        conversation_id,
        date,
        count(*) filter (where not is_agent) > 0 as has_visitor_line,
        count(*) filter (where is_agent) > 0 as has_agent_line,
        count(*) filter (where not is_agent and turn_number > 1) > 0 as has_visitor_answer
    from turns
    group by account_id, conversation_id, date
)

select
    conversation.account_id,
    conversation.conversation_id,  -- Unique conversation identifier; never NULL.
    conversation.date,
    conversation.is_connected,
    conversation.chat_milliseconds,
    conversation.is_interactive,
    coalesce(spoken.has_visitor_line, false) as has_visitor_line,  -- The visitor wrote.
    coalesce(
        case when conversation.type = 'MESSAGING' then spoken.has_visitor_answer else spoken.has_visitor_line end,
        false
    ) as is_interactive_recomputed,  -- The visitor took part, by the transcript.
    conversation.is_connected
    and coalesce(spoken.has_visitor_line, false)
    and not coalesce(spoken.has_agent_line, false) as is_non_responsive  -- Connected, the visitor wrote, no agent did.
from conversation_times as conversation
left join spoken
    on conversation.account_id is not distinct from spoken.account_id
    and conversation.conversation_id = spoken.conversation_id
    and conversation.date = spoken.date
