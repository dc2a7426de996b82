-- Conversations with their codes in words.
-- Grain:   one row per row of conversations.
-- Counts:  all conversations. A label is NULL where the code is, and unknown where the code is not in its table.
-- Units:   codes and labels as the vendor's page lists them, in the tables end_reason and start_reason.
-- Source:  endReasonId and StartReasonId of Conversation. For start reasons the vendor's pages contradict each other;
--          these are the ones of the Engagement page.

select
    conversations.account_id,
    conversations.conversation_id,
    conversations.date,
    conversations.type,
    conversations.conversation_start_time,
    conversations.conversation_end_time,
    conversations.skill_id,
    conversations.agent_id,
    conversations.start_reason_id,
    case when start_reason_id is not null then coalesce(start_reason.label, 'unknown') end
        as start_reason_label,  -- Why it started, in words.
    conversations.end_reason_id,
    case when end_reason_id is not null then coalesce(end_reason.label, 'unknown') end
        as end_reason_label  -- Why it ended, in words.
from conversations
left join start_reason on conversations.start_reason_id = start_reason.code
left join end_reason on conversations.end_reason_id = end_reason.code
