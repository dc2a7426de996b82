-- Waits of visitors for an agent, and the share who gave up, hour by hour.
-- Grain:   one row per account_id and hour of the conversation's start with a conversation.
-- Counts:  all conversations. Connected: interaction_start_time is there; abandoned: it is not. abandoned_share is
--          abandoned / (abandoned + connected). The queue columns look at connected conversations with a queue time
--          only.
-- Units:   seconds; percentiles are interpolated (quantile_cont). hour is the beginning of the hour in UTC, whatever
--          the session's TimeZone; it is NULL for conversations without a start.
-- Source:  queueStartTime, queueEndTime, interactionStartTime of Conversation, through conversation_times.

select
    account_id,
    to_timestamp(floor(epoch_ms(conversation_start_time) / 3_600_000) * 3600) as hour,  -- Start of the hour in UTC.
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
group by account_id, hour
