-- Conversations with their codes in words, and the names of skill and agent.
-- Grain:   one row per conversation.
-- Counts:  all conversations. A label is NULL where the code is, and unknown where the code is not in its table.
-- Units:   codes and labels as the vendor's page lists them, in the tables end_reason and start_reason.
-- Source:  endReasonId and StartReasonId of Conversation. For start reasons the vendor's pages contradict each other;
--          these are the ones of the Engagement page.

select
    conversation.account_id,
    conversation.conversation_id,
    conversation.date,
    conversation.type,
    conversation.conversation_start_time,
    conversation.conversation_end_time,
    conversation.skill_id,
    conversation.skill_name,
    conversation.agent_id,
    conversation.agent_name,
    conversation.start_reason_id,
    case when start_reason_id is not null then coalesce(start_reason.label, 'unknown') end
        as start_reason_label,  -- Why the conversation started, in words.
    conversation.end_reason_id,
    case when end_reason_id is not null then coalesce(end_reason.label, 'unknown') end
        as end_reason_label  -- Why the conversation ended, in words.
from named_conversations as conversation
left join start_reason on conversation.start_reason_id = start_reason.code
left join end_reason on conversation.end_reason_id = end_reason.code
