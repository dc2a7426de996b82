-- Share of visitors who gave up, by the usual denominators, and their waits.
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
    account_id,  -- The LivePerson account.
    date,
    any_value(short_abandon_seconds) as short_abandon_seconds,
    count(*) filter (where is_connected) as connected_count,  -- Conversations connected to an agent.
    count(*) filter (where is_abandoned) as abandoned_count,  -- Conversations that left before they were connected.
    count(*) filter (where is_abandoned and queue_milliseconds < short_abandon_seconds * 1000)
        as short_abandon_count,  -- Those of abandoned_count that left within short_abandon_seconds.
    count(*) filter (where is_transfer) as transfer_count,  -- Transfers into a queue.
    count(*) as request_count,  -- Conversations and transfers that entered a queue.
    abandoned_count / nullif(abandoned_count + connected_count, 0)
        as abandoned_share,  -- abandoned_count / (abandoned_count + connected_count).
    abandoned_count / nullif(request_count, 0) as abandoned_of_requested_share,  -- abandoned_count / request_count.
    (abandoned_count - short_abandon_count) / nullif(abandoned_count + connected_count - short_abandon_count, 0)
        as abandoned_adjusted_share,  -- As abandoned_share, without short_abandon_count on both sides.
    count(queue_milliseconds) filter (where is_abandoned)
        as waited_count,  -- Abandoned conversations with a known wait.
    avg(queue_milliseconds) filter (where is_abandoned) / 1000
        as abandon_avg_seconds,  -- Mean wait of abandoned conversations.
    quantile_cont(queue_milliseconds, 0.5) filter (where is_abandoned) / 1000
        as abandon_p50_seconds,  -- Median wait of abandoned conversations.
    quantile_cont(queue_milliseconds, 0.9) filter (where is_abandoned) / 1000
        as abandon_p90_seconds,  -- Wait that 90 % of abandoned conversations did not exceed.
    max(queue_milliseconds) filter (where is_abandoned) / 1000
        as abandon_max_seconds  -- Longest wait of an abandoned conversation.
from entries
group by account_id, date
