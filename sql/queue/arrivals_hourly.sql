-- Number of visitors who entered a queue, hour by hour on the account's clocks.
-- Grain:   one row per account_id, type and local hour of a UTC day with visitors in a queue, the quiet hours too.
--          Where the clocks are set back an hour comes twice, where they are set forward one is missing.
-- Counts:  as in arrivals_by_interval.
-- Units:   counts. hour is the instant at which the local hour begins; local_date and local_hour (0 to 23) are what the
--          account's clocks show then, weekday is 1 for Monday to 7 for Sunday.
-- Source:  arrivals_by_interval and the setting time_zone.

select
    account_id,
    type,
    to_timestamp((epoch_ms(interval_start) - epoch_ms(local_start_time) % 3_600_000) // 1000)
        as hour,  -- Instant at which the local hour begins.
    local_start_time::date as local_date,  -- Day on the account's clocks.
    hour(local_start_time) as local_hour,  -- Hour on the account's clocks, 0 to 23.
    isodow(local_start_time) as weekday,  -- Day of the week, 1 (Monday) to 7 (Sunday).
    sum(people_entry_count)::bigint as people_entry_count,
    sum(start_entry_count)::bigint as start_entry_count,
    sum(transfer_entry_count)::bigint as transfer_entry_count,
    sum(people_answered_count)::bigint as people_answered_count,
    sum(people_abandoned_count)::bigint as people_abandoned_count,
    sum(bot_entry_count)::bigint as bot_entry_count
from arrivals_by_interval
group by all
