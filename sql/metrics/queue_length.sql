-- How many people waited at a time.
-- Grain:   one row per account_id and interval of a UTC day on which somebody waited, the quiet intervals too.
-- Counts:  conversations and transfers in a queue, from the millisecond of entering to that of leaving, which no longer
--          counts. Waits of 0 s, without an end, or longer than longest_queue_hours are left out.
-- Units:   people; waiting_avg is weighted by time. waiting_seconds adds up the seconds that all of them waited in the
--          interval: to get the mean of a longer time, sum it up and divide by the sum of interval_seconds.
--          interval_start is the interval's beginning (the vendor's API stamps the end), local_start_time what the
--          account's clocks show then.
-- Source:  queue size as in the vendor's Queue Health, which samples it; here every change counts.

with waits as (
    select account_id, entered_time, left_time
    from queue_entries
    where is_valid and left_time > entered_time
),

changes as (
    select account_id, null::bigint as interval_minutes, epoch_ms(entered_time) as at_milliseconds, 1 as change
    from waits
    union all
    select account_id, null as interval_minutes, epoch_ms(left_time) as at_milliseconds, -1 as change
    from waits
    union all
    select account_id, interval_minutes, start_seconds * 1000 as at_milliseconds, 0 as change
    from queue_intervals
),

moments as (
    select
        account_id,
        at_milliseconds,
        -- The beginning of an interval is one of the moments, so none lasts beyond its interval.
        max(interval_minutes) as interval_minutes,
        sum(change) as change
    from changes
    group by account_id, at_milliseconds
),

steps as (
    select
        account_id,
        at_milliseconds,
        last_value(interval_minutes ignore nulls) over so_far * 60_000 as interval_milliseconds,
        at_milliseconds // interval_milliseconds * interval_milliseconds as interval_start_milliseconds,
        sum(change) over so_far as waiting_count,
        least(
            coalesce(
                lead(at_milliseconds) over (partition by account_id order by at_milliseconds),
                interval_start_milliseconds + interval_milliseconds
            ),
            interval_start_milliseconds + interval_milliseconds
        ) as until_milliseconds
    from moments
    window so_far as (
        partition by account_id order by at_milliseconds
        rows between unbounded preceding and current row
    )
),

lengths as (
    select
        account_id,
        interval_start_milliseconds // 1000 as start_seconds,
        any_value(interval_milliseconds) / 1000 as interval_seconds,
        sum(waiting_count * (until_milliseconds - at_milliseconds)) / 1000 as waiting_seconds,
        min(waiting_count)::bigint as waiting_min,
        max(waiting_count)::bigint as waiting_max
    from steps
    group by account_id, interval_start_milliseconds
)

select
    lengths.account_id,
    intervals.interval_start,
    intervals.local_start_time,
    lengths.interval_seconds,
    lengths.waiting_seconds,
    lengths.waiting_seconds / lengths.interval_seconds as waiting_avg,
    lengths.waiting_min,
    lengths.waiting_max
from lengths
join queue_intervals as intervals
    on lengths.account_id is not distinct from intervals.account_id
    and lengths.start_seconds = intervals.start_seconds
