-- Number of visitors who waited at a time.
-- Grain:   one row per account_id, type and interval_start, of a UTC day with visitors in a queue, the quiet intervals
--          too.
-- Counts:  entries of people, from the millisecond of entering to that of leaving, which no longer counts. Left out:
--          bots, waits of 0 s, without an end, or longer than longest_queue_hours.
-- Units:   visitors; waiting_avg is weighted by time. waiting_seconds adds up the seconds that all of them waited in
--          the interval: to get the mean of a longer time, sum it up and divide by the sum of interval_seconds.
--          interval_start is the interval's beginning (the vendor's API stamps the end), local_start_time what the
--          account's clocks show then. The SQL adds up all changes in their order, +1 and -1, and 0 where an interval
--          begins; each sum holds until the next change, and belongs to one interval.
-- Source:  queue size as in the vendor's Queue Health, which samples it; here every change counts.

-- A number for each account and type, since numbers are sorted faster than text.
with intervals as (
    select
        *,
        interval_minutes * 60_000 as interval_milliseconds,
        dense_rank() over (order by account_id, type) as queue_number
    from queue_intervals
),

queues as (
    select distinct account_id, type, queue_number, interval_milliseconds
    from intervals
),

waits as (
    select
        queue.queue_number,
        queue.interval_milliseconds,
        epoch_ms(entry.entered_time) as entered_milliseconds,
        epoch_ms(entry.left_time) as left_milliseconds
    from named_entries as entry
    join queues as queue
        on entry.account_id is not distinct from queue.account_id
        and entry.type is not distinct from queue.type
    where entry.is_likely and entry.wait_milliseconds > 0 and not entry.is_bot
),

changes as (
    select queue_number, interval_milliseconds, entered_milliseconds as at_milliseconds, 1 as change
    from waits
    union all
    select queue_number, interval_milliseconds, left_milliseconds as at_milliseconds, -1 as change
    from waits
    union all
    select queue_number, interval_milliseconds, start_seconds * 1000 as at_milliseconds, 0 as change
    from intervals
),

sums as (
    select
        queue_number,
        floor(at_milliseconds / interval_milliseconds)::bigint * interval_milliseconds as start_milliseconds,
        start_milliseconds + interval_milliseconds as end_milliseconds,
        at_milliseconds,
        sum(change) over in_order as waiting_count,
        lead(at_milliseconds) over in_order as next_milliseconds
    from changes
    window in_order as (
        partition by queue_number order by at_milliseconds
        rows between unbounded preceding and current row
    )
),

-- Of changes at one time the last sum holds, the others for no time at all. A day without anybody has no intervals.
lengths as (
    select
        queue_number,
        start_milliseconds,
        waiting_count,
        least(next_milliseconds, end_milliseconds) - at_milliseconds as milliseconds
    from sums
    where milliseconds > 0
),

filled as (
    select
        queue_number,
        start_milliseconds // 1000 as start_seconds,
        sum(milliseconds) / 1000 as interval_seconds,
        sum(waiting_count * milliseconds) / 1000 as waiting_seconds,
        min(waiting_count)::bigint as waiting_min,
        max(waiting_count)::bigint as waiting_max
    from lengths
    group by queue_number, start_milliseconds
)

select
    intervals.account_id,
    intervals.type,
    intervals.interval_start,
    intervals.local_start_time,
    filled.interval_seconds,  -- Length of the interval.
    filled.waiting_seconds,  -- Seconds that all visitors waited in the interval, added up.
    filled.waiting_seconds / filled.interval_seconds
        as waiting_avg,  -- Mean number of visitors waiting, weighted by time.
    filled.waiting_min,  -- Fewest visitors waiting at a moment.
    filled.waiting_max  -- Most visitors waiting at a moment.
from filled
join intervals
    on filled.queue_number = intervals.queue_number
    and filled.start_seconds = intervals.start_seconds
