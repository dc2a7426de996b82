-- Which share of visitors gave up, by the usual denominators, and after how long.
-- Grain:   one row per account_id and date (UTC, of the conversation's start) with a conversation.
-- Counts:  abandoned_share = abandoned / (abandoned + connected). abandoned_of_requested_share = abandoned /
--          requested, where request_count has the transfers into a queue, too. abandoned_adjusted_share leaves those
--          who left sooner than short_abandon_seconds out of both. abandon columns look at abandoned conversations
--          with a known wait, waited_count of them.
-- Units:   shares from 0 to 1, NULL where the denominator is 0; seconds; percentiles are interpolated (quantile_cont).
-- Source:  abandonment rate as in Queue Health (abandoned_share) and in Analytics Builder (of requested); time to
--          abandon as in Queue Health.

with entries as (
    select
        account_id,
        date,
        false as is_transfer,
        is_connected,
        is_abandoned,
        short_abandon_seconds,
        queue_milliseconds
    from conversation_rules
    union all
    select
        account_id,
        date,
        true as is_transfer,
        false as is_connected,
        false as is_abandoned,
        null as short_abandon_seconds,
        null as queue_milliseconds
    from transfers
    where queue_start_time is not null
)

select
    account_id,
    date,
    any_value(short_abandon_seconds) as short_abandon_seconds,
    count(*) filter (where is_connected) as connected_count,
    count(*) filter (where is_abandoned) as abandoned_count,
    count(*) filter (where is_abandoned and queue_milliseconds < short_abandon_seconds * 1000) as short_abandon_count,
    count(*) filter (where is_transfer) as transfer_count,
    count(*) as request_count,
    abandoned_count / nullif(abandoned_count + connected_count, 0) as abandoned_share,
    abandoned_count / nullif(request_count, 0) as abandoned_of_requested_share,
    (abandoned_count - short_abandon_count) / nullif(abandoned_count + connected_count - short_abandon_count, 0)
        as abandoned_adjusted_share,
    count(queue_milliseconds) filter (where is_abandoned) as waited_count,
    avg(queue_milliseconds) filter (where is_abandoned) / 1000 as abandon_avg_seconds,
    quantile_cont(queue_milliseconds, 0.5) filter (where is_abandoned) / 1000 as abandon_p50_seconds,
    quantile_cont(queue_milliseconds, 0.9) filter (where is_abandoned) / 1000 as abandon_p90_seconds,
    max(queue_milliseconds) filter (where is_abandoned) / 1000 as abandon_max_seconds
from entries
group by account_id, date
