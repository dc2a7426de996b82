-- Waits of visitors for an agent, and the share who gave up, skill by skill.
-- Grain:   one row per account_id and skill_id, the conversation's last skill; those without one are a group of their
--          own.
-- Counts:  all conversations. Connected: interaction_start_time is there; abandoned: it is not. abandoned_share is
--          abandoned / (abandoned + connected). The queue columns look at connected conversations with a queue time
--          only.
-- Units:   seconds; percentiles are interpolated (quantile_cont). All dates together.
-- Source:  queueStartTime, queueEndTime, interactionStartTime of Conversation, through conversation_times.

select
    account_id,
    skill_id,
    count(*) as conversation_count,  -- Conversations.
    count(*) filter (where is_connected) as connected_count,  -- Those connected to an agent.
    count(*) filter (where is_abandoned) as abandoned_count,  -- Those that left before they were connected.
    abandoned_count / nullif(abandoned_count + connected_count, 0)
        as abandoned_share,  -- abandoned_count / (abandoned_count + connected_count).
    avg(connected_queue_milliseconds) / 1000 as queue_avg_seconds,  -- Mean wait of connected conversations.
    quantile_cont(connected_queue_milliseconds, 0.5) / 1000
        as queue_p50_seconds,  -- Median wait of connected conversations.
    quantile_cont(connected_queue_milliseconds, 0.9) / 1000
        as queue_p90_seconds,  -- Wait that 90 % of connected conversations did not exceed.
    max(connected_queue_milliseconds) / 1000 as queue_max_seconds  -- Longest wait of a connected conversation.
from conversation_times
group by account_id, skill_id
