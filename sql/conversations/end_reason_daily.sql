-- Conversations by end reason, day by day.
-- Grain:   one row per account_id, date (UTC, of the conversation's start) and end_reason_id that has a conversation.
-- Counts:  all conversations; one without an end reason has NULL in both end_reason_id and its label. A code that the
--          table end_reason does not list has the label unknown.
-- Units:   counts.
-- Source:  endReasonId of Conversation, through conversation_labels.

select
    account_id,
    date,
    end_reason_id,
    end_reason_label,
    count(*) as conversation_count  -- Conversations.
from conversation_labels
group by account_id, date, end_reason_id, end_reason_label
