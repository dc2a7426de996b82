-- Number of people who entered the queue, interval by interval.
-- Grain:   one row per account_id and interval of a UTC day with people in a queue, the quiet intervals too.
-- Counts:  conversation_count: conversations by the start of their queue; connected_count and abandoned_count of them.
--          transfer_count: transfers by the start of theirs. request_count is both, as the vendor counts requests.
-- Units:   counts. interval_start is the interval's beginning (the vendor's API stamps the end), local_start_time what
--          the account's clocks show then, interval_minutes the interval's length.
-- Source:  requested chats as in Analytics Builder and Queue Health; queueStartTime of Conversation and Transfer.

with entries as (
    select
        account_id,
        interval_minutes,
        floor(epoch_ms(entered_time) / (60_000 * interval_minutes))::bigint * interval_minutes * 60 as start_seconds,
        count(*) filter (where not is_transfer) as conversation_count,
        count(*) filter (where is_connected) as connected_count,
        count(*) filter (where is_transfer) as transfer_count
    from entry_parts
    group by account_id, interval_minutes, start_seconds
)

select
    intervals.account_id,
    intervals.interval_start,
    intervals.local_start_time,
    intervals.interval_minutes,
    coalesce(entries.conversation_count, 0) as conversation_count,  -- Conversations that entered their first queue.
    coalesce(entries.connected_count, 0) as connected_count,  -- Conversations connected to an agent.
    coalesce(entries.conversation_count - entries.connected_count, 0)
        as abandoned_count,  -- Conversations that left before they were connected.
    coalesce(entries.transfer_count, 0) as transfer_count,  -- Transfers that entered a queue.
    coalesce(entries.conversation_count + entries.transfer_count, 0)
        as request_count  -- conversation_count + transfer_count.
from queue_intervals as intervals
left join entries
    on intervals.account_id is not distinct from entries.account_id
    and intervals.start_seconds = entries.start_seconds
