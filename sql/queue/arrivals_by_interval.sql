-- Number of visitors who entered a queue, interval by interval.
-- Grain:   one row per account_id, type and interval_start, of a UTC day with visitors in a queue, the quiet intervals
--          too.
-- Counts:  entries of people by the time of entering; bots have a column of their own. people_entry_count is
--          start_entry_count (first queues) and transfer_entry_count (queues of transfers), as the vendor counts
--          requests.
-- Units:   counts. interval_start is the interval's beginning (the vendor's API stamps the end), local_start_time what
--          the account's clocks show then, interval_minutes the interval's length.
-- Source:  requested chats as in Analytics Builder and Queue Health; queue_entries.

with arrivals as (
    select
        account_id,
        type,
        floor(epoch_ms(entered_time) / (60_000 * interval_minutes))::bigint * interval_minutes * 60 as start_seconds,
        count(*) filter (where not is_bot and not is_transfer) as start_entry_count,
        count(*) filter (where not is_bot and is_transfer) as transfer_entry_count,
        count(*) filter (where not is_bot and outcome = 'answered') as people_answered_count,
        count(*) filter (where not is_bot and outcome = 'abandoned') as people_abandoned_count,
        count(*) filter (where is_bot) as bot_entry_count
    from named_entries
    where entered_time is not null
    group by account_id, type, start_seconds
)

select
    intervals.account_id,
    intervals.type,
    intervals.interval_start,
    intervals.local_start_time,
    intervals.interval_minutes,
    coalesce(arrivals.start_entry_count + arrivals.transfer_entry_count, 0)
        as people_entry_count,  -- Entries of visitors into queues of people.
    coalesce(arrivals.start_entry_count, 0)
        as start_entry_count,  -- Entries of people at the start of a conversation.
    coalesce(arrivals.transfer_entry_count, 0) as transfer_entry_count,  -- Entries of people by a transfer.
    coalesce(arrivals.people_answered_count, 0) as people_answered_count,  -- Entries of people that were answered.
    coalesce(arrivals.people_abandoned_count, 0) as people_abandoned_count,  -- Entries of people that were abandoned.
    coalesce(arrivals.bot_entry_count, 0) as bot_entry_count  -- Entries that a bot answered, or into a bot's queue.
from queue_intervals as intervals
left join arrivals
    on intervals.account_id is not distinct from arrivals.account_id
    and intervals.type is not distinct from arrivals.type
    and intervals.start_seconds = arrivals.start_seconds
