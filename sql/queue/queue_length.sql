-- Number of people who waited at a time.
-- Grain:   one row per account_id and interval of a UTC day with people in a queue, the quiet intervals too.
-- Counts:  conversations and transfers in a queue, from the millisecond of entering to that of leaving, which no longer
--          counts. Waits of 0 s, without an end, or longer than longest_queue_hours are left out.
-- Units:   people; waiting_avg is weighted by time. waiting_seconds adds up the seconds that all of them waited in the
--          interval: to get the mean of a longer time, sum it up and divide by the sum of interval_seconds.
--          interval_start is the interval's beginning (the vendor's API stamps the end), local_start_time what the
--          account's clocks show then.
-- Source:  queue size as in the vendor's Queue Health, which samples it; here every change counts.

with waits as (
    select account_id, entered_time, left_time
    from entry_parts
    where is_valid and left_time > entered_time
),

changes as (
    select account_id, epoch_ms(entered_time) as at_milliseconds, 1 as change, null as interval_begun
    from waits
    union all
    select account_id, epoch_ms(left_time) as at_milliseconds, -1 as change, null as interval_begun
    from waits
    union all
    select
        account_id,
        start_seconds * 1000 as at_milliseconds,
        0 as change,
        {
            'interval_start': interval_start,
            'local_start_time': local_start_time,
            'until_milliseconds': (start_seconds + interval_minutes * 60) * 1000
        } as interval_begun
    from queue_intervals
),

moments as (
    select
        account_id,
        at_milliseconds,
        sum(change) as change,
        any_value(interval_begun) as interval_begun
    from changes
    group by account_id, at_milliseconds
),

placed as (
    select
        account_id,
        at_milliseconds,
        last_value(interval_begun ignore nulls) over so_far as here,
        sum(change) over so_far as waiting_count,
        lead(at_milliseconds) over (partition by account_id order by at_milliseconds) as next_milliseconds
    from moments
    window so_far as (
        partition by account_id order by at_milliseconds
        rows between unbounded preceding and current row
    )
),

-- The beginning of an interval is one of the moments, so no step but that before a day without anybody goes beyond it.
steps as (
    select
        account_id,
        here,
        waiting_count,
        least(next_milliseconds, here.until_milliseconds) - at_milliseconds as milliseconds
    from placed
)

select
    account_id,
    here.interval_start as interval_start,
    here.local_start_time as local_start_time,
    sum(milliseconds) / 1000 as interval_seconds,  -- Length of the interval.
    sum(waiting_count * milliseconds) / 1000
        as waiting_seconds,  -- Seconds that all people waited in the interval, added up.
    waiting_seconds / interval_seconds as waiting_avg,  -- Mean number of people waiting, weighted by time.
    min(waiting_count)::bigint as waiting_min,  -- Fewest people waiting at a moment.
    max(waiting_count)::bigint as waiting_max  -- Most people waiting at a moment.
from steps
group by account_id, here.interval_start, here.local_start_time
