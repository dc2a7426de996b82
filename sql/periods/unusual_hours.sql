-- Queue entries of each hour against the same hour of the same weekday in the weeks before.
-- Grain:   one row per account_id, type and known UTC hour from the first entry of people to the last, quiet hours too,
--          once four earlier hours can be compared.
-- Counts:  entries of people. Compared are the eight latest known hours before that have the same weekday and the same
--          hour on the account's clocks, compared_count of them. Known are the hours that source_hours has as loaded or
--          empty, on days that calendar has as not provisional; a file that names no account counts for each of them.
-- Units:   counts. A score is the distance from the mean, in standard deviations; those are taken for no less than the
--          square root of the mean, which chance alone makes, and no less than 1. is_unusual: a score beyond 3 or -3.
-- Source:  ours, through named_entries, source_hours and calendar.

with counted as (
    select
        account_id,
        type,
        time_zone,
        epoch_ms(entered_time) // 3_600_000 as hour_number,
        count(*) as people_entry_count,
        count(*) filter (where outcome = 'abandoned') as people_abandoned_count
    from named_entries
    where not is_bot and entered_time is not null
    group by account_id, type, time_zone, hour_number
),

hours as (
    select
        account_id,
        type,
        time_zone,
        unnest(range(min(hour_number), max(hour_number) + 1)) as hour_number
    from counted
    group by account_id, type, time_zone
),

filled as (
    select
        hours.account_id,
        hours.type,
        to_timestamp(hours.hour_number * 3600) as hour,
        make_timestamp((hours.hour_number * 3600 + clock.offset_seconds) * 1_000_000) as local_start_time,
        coalesce(counted.people_entry_count, 0) as people_entry_count,
        coalesce(counted.people_abandoned_count, 0) as people_abandoned_count
    from hours
    join utc_offsets as clock
        on hours.time_zone = clock.time_zone
        and year(make_timestamp(hours.hour_number * 3_600_000_000)) = clock.year
        and hours.hour_number * 3600 >= epoch_ms(clock.from_time) // 1000
        and hours.hour_number * 3600 < epoch_ms(clock.until_time) // 1000
    left join counted
        on hours.account_id is not distinct from counted.account_id
        and hours.type is not distinct from counted.type
        and hours.hour_number = counted.hour_number
),

known as (
    select filled.*
    from filled
    join known_hours as source
        on filled.account_id is not distinct from source.account_id
        and filled.hour = source.hour
        and source.is_known
    join calendar as day
        on filled.account_id is not distinct from day.account_id
        and filled.local_start_time::date = day.date
        and not day.is_provisional
),

compared as (
    select
        *,
        count(*) over before as compared_count,
        avg(people_entry_count) over before as entry_mean,
        stddev_samp(people_entry_count) over before as entry_deviation,
        avg(people_abandoned_count) over before as abandoned_mean,
        stddev_samp(people_abandoned_count) over before as abandoned_deviation
    from known
    window before as (
        partition by account_id, type, isodow(local_start_time), hour(local_start_time)
        order by hour
        rows between 8 preceding and 1 preceding
    )
)

select
    account_id,  -- The LivePerson account.
    type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    hour,  -- Start of the hour.
    local_start_time,  -- Start of the hour on the account's clocks.
    compared_count,  -- Hours that the hour is compared with.
    people_entry_count,  -- Entries of visitors into queues of people.
    entry_mean,  -- Mean number of queue entries in the compared_count hours.
    (people_entry_count - entry_mean) / greatest(entry_deviation, sqrt(entry_mean), 1)
        as entry_score,  -- Distance of people_entry_count from entry_mean, in standard deviations.
    abs(entry_score) > 3 as is_unusual,  -- entry_score is beyond 3 or -3.
    people_abandoned_count,  -- Entries of people that were abandoned.
    abandoned_mean,  -- Mean number of abandoned queue entries in the compared_count hours.
    (people_abandoned_count - abandoned_mean) / greatest(abandoned_deviation, sqrt(abandoned_mean), 1)
        as abandoned_score,  -- Distance of people_abandoned_count from abandoned_mean, in standard deviations.
    abs(abandoned_score) > 3 as is_abandoned_unusual  -- abandoned_score is beyond 3 or -3.
from compared
where compared_count >= 4
