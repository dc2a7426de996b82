-- As named_entries, with the day, week and month of entering on the account's clocks.
-- Grain:   one row per row of queue_entries.
-- Counts:  all entries.
--          Where that time is missing, before 2015 and after 2045 local days are those of date.
-- Units:   as in named_entries; a week is that of ISO 8601, by its Monday; a month goes by its first day.
--          local_time is the time on the account's clocks, local_start_time the interval of interval_minutes.
-- Source:  ours; named_entries and the table utc_offsets.

with located as (
    select
        entry.*,
        make_timestamp(epoch_us(entry.entered_time) + clock.offset_seconds * 1_000_000) as local_time
    from named_entries as entry
    left join utc_offsets as clock
        on entry.time_zone = clock.time_zone
        and year(make_timestamp(epoch_us(entry.entered_time))) = clock.year
        and entry.entered_time >= clock.from_time
        and entry.entered_time < clock.until_time
)

select
    * exclude (time_zone, local_time),
    local_time,  -- Time of entering on the account's clocks.
    coalesce(local_time::date, date) as local_date,  -- Day of entering on the account's clocks.
    local_date - isodow(local_date)::integer + 1
        as local_week,  -- Monday of the week of entering, on the account's clocks.
    local_date - day(local_date)::integer + 1
        as local_month,  -- First day of the month of entering, on the account's clocks.
    hour(local_time) as local_hour,  -- Hour of entering on the account's clocks, 0 to 23.
    make_timestamp(epoch_us(local_time) // (60_000_000 * interval_minutes) * (60_000_000 * interval_minutes))
        as local_start_time  -- Start of the interval of entering on the account's clocks.
from located
