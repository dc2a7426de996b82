-- The intervals of every day with visitors in a queue: the rows of arrivals and queue length.
-- Grain:   one row per account_id, type and interval_start, of a UTC day in which a person entered a queue, waited
--          or left it.
-- Counts:  all intervals of such a day, the quiet ones too; days without anybody have none. Of a wait that is not
--          likely the day of entering counts. The SQL gives each entry the days from entering to leaving, takes each
--          day once, and cuts it into intervals.
-- Units:   interval_start is the interval's beginning, local_start_time what the account's clocks show then (NULL
--          before 2015 and after 2045). Clocks change at the beginning of an interval, never within one.
-- Source:  ours; queue_entries and the settings interval_minutes and time_zone.

with spans as (
    select distinct
        account_id,
        type,
        interval_minutes,
        time_zone,
        floor(epoch_ms(entered_time) / 86_400_000)::bigint as first_day,
        floor(epoch_ms(case when is_likely then left_time else entered_time end) / 86_400_000)::bigint as last_day
    from named_entries
    where entered_time is not null
),

days as (
    select distinct
        account_id,
        type,
        interval_minutes,
        time_zone,
        unnest(range(first_day, last_day + 1)) as day_number
    from spans
),

intervals as (
    select
        account_id,
        type,
        interval_minutes,
        time_zone,
        day_number * 86_400 + unnest(range(0, 86_400, interval_minutes * 60)) as start_seconds
    from days
)

select
    intervals.account_id,
    intervals.type,
    intervals.interval_minutes,
    intervals.start_seconds,  -- Start of the interval, in seconds since 1970.
    to_timestamp(intervals.start_seconds) as interval_start,  -- Start of the interval.
    make_timestamp((intervals.start_seconds + clock.offset_seconds) * 1_000_000)
        as local_start_time  -- Start of the interval on the account's clocks.
from intervals
left join utc_offsets as clock
    on intervals.time_zone = clock.time_zone
    and year(make_timestamp(intervals.start_seconds * 1_000_000)) = clock.year
    and intervals.start_seconds >= epoch_ms(clock.from_time) // 1000
    and intervals.start_seconds < epoch_ms(clock.until_time) // 1000
