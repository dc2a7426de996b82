-- Connected conversations, whether only bots had them, and the lines and the time of their people.
-- Grain:   one row per connected conversation.
-- Counts:  a segment is a bot's by is_bot of its agent in agents.csv, else of its skill in skills.csv, else a
--          person's. own lines and time are those of people, and of bots where only bots had the conversation. Lines
--          outside of segments are own.
-- Units:   milliseconds; NULL where no such segment has a known length.
-- Source:  ours; segments and conversation_metrics.

with totals as (
    select
        account_id,
        conversation_id,
        conversation_date,
        bool_and(is_bot) as is_bot,
        sum(agent_line_count) filter (where is_bot) as bot_line_count,
        sum(engaged_milliseconds) filter (where is_bot) as bot_milliseconds,
        sum(engaged_milliseconds) filter (where not is_bot) as person_milliseconds
    from named_segments
    group by account_id, conversation_id, conversation_date
)

select
    conversation.account_id,  -- The LivePerson account.
    conversation.conversation_id,  -- The conversation.
    conversation.date,  -- UTC day on which the conversation started.
    conversation.type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    conversation.conversation_start_time,
    coalesce(totals.is_bot, false) as is_bot,  -- True where only bots had the conversation.
    conversation.was_interactive,
    conversation.visitor_line_count,  -- Messages of type 0.
    (
        conversation.agent_line_count
        - case when totals.is_bot then 0 else coalesce(totals.bot_line_count, 0) end
    )::bigint
        as own_line_count,  -- Lines by agents without those in segments of bots; with them if only bots had the
                            -- conversation.
    case when totals.is_bot then totals.bot_milliseconds else totals.person_milliseconds end::bigint
        as handling_milliseconds,  -- Sum of the lengths of the segments of people; of bots if only bots had the
                                   -- conversation.
    conversation.chat_milliseconds,
    conversation.time_zone  -- Name of the time zone.
from named_conversations as conversation
left join totals
    on conversation.account_id is not distinct from totals.account_id
    and conversation.conversation_id = totals.conversation_id
    and conversation.date = totals.conversation_date
where conversation.is_connected
