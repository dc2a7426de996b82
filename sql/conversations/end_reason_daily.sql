-- Conversations by end reason, day by day.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type, ended_with_bot and end_reason_id
--          that has a conversation.
-- Counts:  all conversations; one without an end reason has NULL in both end_reason_id and its label. A code that the
--          table end_reason does not list has the label unknown. ended_with_bot: a bot had the conversation
--          last, and the visitor did not give up in a queue of people.
-- Units:   counts.
-- Source:  endReasonId of Conversation.
-- Twins:   local_date, local_week, local_month

select
    conversation.account_id,
    conversation.date,
    conversation.type,
    conversation.ended_with_bot,
    conversation.end_reason_id,
    any_value(case when conversation.end_reason_id is not null then coalesce(end_reason.label, 'unknown') end)
        as end_reason_label,  -- Why the conversation ended, in words.
    count(*) as conversation_count  -- Conversations.
from named_conversations as conversation
left join end_reason on conversation.end_reason_id = end_reason.code
group by
    conversation.account_id,
    conversation.date,
    conversation.type,
    conversation.ended_with_bot,
    conversation.end_reason_id
