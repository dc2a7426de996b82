-- Waits of visitors for an agent, and the share who gave up, by the days of the account's time zone.
-- Grain:   one row per account_id and local_date with a conversation; local_date is NULL for conversations without a
--          start.
-- Counts:  as in queue_time_daily, whose days are those of UTC.
-- Units:   seconds; percentiles are interpolated (quantile_cont). hour_count is the length of the day: 23 or 25 where
--          the clocks change by an hour.
-- Source:  as queue_time_daily, with the setting time_zone.

with located as (
    select
        conversation.account_id,
        conversation.time_zone,
        conversation.is_connected,
        conversation.is_abandoned,
        conversation.connected_queue_milliseconds,
        make_timestamp(epoch_us(conversation.conversation_start_time) + clock.offset_seconds * 1_000_000)::date
            as local_date
    from conversation_rules as conversation
    left join utc_offsets as clock
        on conversation.time_zone = clock.time_zone
        and year(make_timestamp(epoch_us(conversation.conversation_start_time))) = clock.year
        and conversation.conversation_start_time >= clock.from_time
        and conversation.conversation_start_time < clock.until_time
),

days as (
    select
        account_id,
        time_zone,
        local_date,
        count(*) as conversation_count,
        count(*) filter (where is_connected) as connected_count,
        count(*) filter (where is_abandoned) as abandoned_count,
        abandoned_count / nullif(abandoned_count + connected_count, 0) as abandoned_share,
        count(connected_queue_milliseconds) as queued_count,
        avg(connected_queue_milliseconds) / 1000 as queue_avg_seconds,
        quantile_cont(connected_queue_milliseconds, 0.5) / 1000 as queue_p50_seconds,
        quantile_cont(connected_queue_milliseconds, 0.9) / 1000 as queue_p90_seconds,
        max(connected_queue_milliseconds) / 1000 as queue_max_seconds
    from located
    group by account_id, time_zone, local_date
)

select
    days.account_id,
    days.local_date,
    local_days.hour_count,
    days.conversation_count,  -- Conversations.
    days.connected_count,  -- Those connected to an agent.
    days.abandoned_count,  -- Those that left before they were connected.
    days.abandoned_share,  -- abandoned_count / (abandoned_count + connected_count).
    days.queued_count,  -- Connected conversations with a known wait.
    days.queue_avg_seconds,  -- Mean wait of connected conversations.
    days.queue_p50_seconds,  -- Median wait of connected conversations.
    days.queue_p90_seconds,  -- Wait that 90 % of connected conversations did not exceed.
    days.queue_max_seconds  -- Longest wait of a connected conversation.
from days
left join local_days on days.time_zone = local_days.time_zone and days.local_date = local_days.local_date
