-- Start and end of each day of a time zone.
-- Grain:   one row per time_zone of the table settings and local_date, from the last day of 2014 to the first of 2046.
-- Counts:  all days. Where clocks are set back at midnight, a day begins at the first of the two; where midnight is
--          left out, with the change. The end of the last day is NULL.
-- Units:   instants; hour_count is 24, or 23 and 25 where clocks change by an hour.
-- Source:  ours; the table utc_offsets, which is the time zone database.

with years as (
    select distinct time_zone, year
    from utc_offsets
),

midnights as (
    select
        time_zone,
        year,
        unnest(range(make_timestamp(year, 1, 1, 0, 0, 0), make_timestamp(year + 1, 1, 1, 0, 0, 0), interval 1 day))
            as midnight
    from years
)

select
    midnights.time_zone,  -- Name of the time zone.
    midnights.midnight::date as local_date,  -- Day on the zone's clocks.
    to_timestamp(epoch_ms(midnights.midnight) // 1000 - clock.offset_seconds)
        as start_time,  -- Instant at which the day begins.
    lead(start_time) over (partition by midnights.time_zone order by midnights.midnight)
        as end_time,  -- Instant at which the next day begins.
    (epoch_ms(end_time) - epoch_ms(start_time)) / 3_600_000 as hour_count  -- Length of the day.
from midnights
join utc_offsets as clock
    on midnights.time_zone = clock.time_zone
    and midnights.year = clock.year
    and midnights.midnight >= clock.from_local_time
    and midnights.midnight < clock.until_local_time
