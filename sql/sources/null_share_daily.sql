-- Share of conversations without the values that measures need.
-- Grain:   one row per account_id, date (UTC, of the conversation's start) and type with a conversation.
-- Counts:  conversations; each share is of conversation_count. person: neither consumer nor visitor, where an empty id
--          is unknown; queue_start and end: the times of queue and conversation; mcs and agent: of connected_count, the
--          connected ones, where an empty agent id and 0 are no agent. Conversations of bots are in it, too.
-- Units:   shares from 0 to 1, NULL where the denominator is 0.
-- Source:  ours; conversations.

select
    account_id,
    date,
    type,
    count(*) as conversation_count,  -- Conversations.
    count(interaction_start_time) as connected_count,  -- Connected conversations.
    1 - count(nullif(consumer_id, '')) / count(*)
        as consumer_null_share,  -- Share of the conversation_count conversations without a known consumer.
    1 - count(nullif(visitor_id, '')) / count(*)
        as visitor_null_share,  -- Share of the conversation_count conversations without a known visitor.
    1 - count(coalesce(nullif(consumer_id, ''), nullif(visitor_id, ''))) / count(*)
        as person_null_share,  -- Share of the conversation_count conversations without a known consumer or visitor.
    1 - count(campaign_id) / count(*)
        as campaign_null_share,  -- Share of the conversation_count conversations without campaign_id.
    1 - count(source_device) / count(*)
        as device_null_share,  -- Share of the conversation_count conversations without source_device.
    1 - count(skill_id) / count(*)
        as skill_null_share,  -- Share of the conversation_count conversations without skill_id.
    1 - count(end_reason_id) / count(*)
        as end_reason_null_share,  -- Share of the conversation_count conversations without end_reason_id.
    1 - count(queue_start_time) / count(*)
        as queue_start_null_share,  -- Share of the conversation_count conversations without queue_start_time.
    1 - count(conversation_end_time) / count(*)
        as end_null_share,  -- Share of the conversation_count conversations without conversation_end_time.
    1 - count(mcs) filter (where interaction_start_time is not null) / nullif(connected_count, 0)
        as mcs_null_share,  -- Share of the connected_count conversations without mcs.
    1 - count(nullif(nullif(agent_id, ''), '0')) filter (where interaction_start_time is not null)
        / nullif(connected_count, 0)
        as agent_null_share  -- Share of the connected_count conversations without a known agent.
from conversations
group by account_id, date, type
