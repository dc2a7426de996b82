-- Number of people who waited at a time.
-- Grain:   one row per account_id, type and interval of a UTC day with people in a queue, the quiet intervals too.
-- Counts:  entries of people, from the millisecond of entering to that of leaving, which no longer counts. Left out:
--          bots, waits of 0 s, without an end, or longer than longest_queue_hours.
-- Units:   people; waiting_avg is weighted by time. waiting_seconds adds up the seconds that all of them waited in
--          the interval: to get the mean of a longer time, sum it up and divide by the sum of interval_seconds.
--          interval_start is the interval's beginning (the vendor's API stamps the end), local_start_time what the
--          account's clocks show then. The SQL adds up all changes in their order, +1 and -1, and 0 where an interval
--          begins; each sum holds until the next change, and belongs to one interval.
-- Source:  queue size as in the vendor's Queue Health, which samples it; here every change counts.

with waits as (
    select account_id, type, interval_minutes, entered_time, left_time
    from named_entries
    where is_likely and wait_milliseconds > 0 and not is_bot
),

changes as (
    select account_id, type, interval_minutes, epoch_ms(entered_time) as at_milliseconds, 1 as change
    from waits
    union all
    select account_id, type, interval_minutes, epoch_ms(left_time) as at_milliseconds, -1 as change
    from waits
    union all
    select account_id, type, interval_minutes, start_seconds * 1000 as at_milliseconds, 0 as change
    from queue_intervals
),

sums as (
    select
        account_id,
        type,
        interval_minutes,
        floor(at_milliseconds / (60_000 * interval_minutes))::bigint * interval_minutes * 60 as start_seconds,
        at_milliseconds,
        sum(change) over in_order as waiting_count,
        lead(at_milliseconds) over in_order as next_milliseconds
    from changes
    window in_order as (
        partition by account_id, type order by at_milliseconds
        rows between unbounded preceding and current row
    )
),

-- Of changes at one time the last sum holds, the others for no time at all. A day without anybody has no intervals.
lengths as (
    select
        account_id,
        type,
        start_seconds,
        waiting_count,
        least(next_milliseconds, (start_seconds + interval_minutes * 60) * 1000) - at_milliseconds as milliseconds
    from sums
    where milliseconds > 0
),

filled as (
    select
        account_id,
        type,
        start_seconds,
        sum(milliseconds) / 1000 as interval_seconds,
        sum(waiting_count * milliseconds) / 1000 as waiting_seconds,
        min(waiting_count)::bigint as waiting_min,
        max(waiting_count)::bigint as waiting_max
    from lengths
    group by account_id, type, start_seconds
)

select
    filled.account_id,
    filled.type,
    intervals.interval_start,
    intervals.local_start_time,
    filled.interval_seconds,  -- Length of the interval.
    filled.waiting_seconds,  -- Seconds that all people waited in the interval, added up.
    filled.waiting_seconds / filled.interval_seconds
        as waiting_avg,  -- Mean number of people waiting, weighted by time.
    filled.waiting_min,  -- Fewest people waiting at a moment.
    filled.waiting_max  -- Most people waiting at a moment.
from filled
join queue_intervals as intervals
    on filled.account_id is not distinct from intervals.account_id
    and filled.type is not distinct from intervals.type
    and filled.start_seconds = intervals.start_seconds
