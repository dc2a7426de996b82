-- As named_responses, with the day, week and month of the response on the account's clocks.
-- Grain:   one row per row of responses.
-- Counts:  all responses, by the time of the agent's line.
--          Where that time is missing, before 2015 and after 2045 local days are those of date.
-- Units:   as in named_responses; a week is that of ISO 8601, by its Monday; a month goes by its first day.
--          local_time is the time on the account's clocks, local_start_time the interval of interval_minutes.
-- Source:  ours; named_responses and the table utc_offsets.

with located as (
    select
        response.*,
        make_timestamp(epoch_us(response.response_time) + clock.offset_seconds * 1_000_000) as local_time
    from named_responses as response
    left join utc_offsets as clock
        on response.time_zone = clock.time_zone
        and year(make_timestamp(epoch_us(response.response_time))) = clock.year
        and response.response_time >= clock.from_time
        and response.response_time < clock.until_time
)

select
    * exclude (time_zone, local_time),
    local_time,  -- Time of the response on the account's clocks.
    coalesce(local_time::date, date) as local_date,  -- Day of the response on the account's clocks.
    local_date - isodow(local_date)::integer + 1
        as local_week,  -- Monday of the week of the response, on the account's clocks.
    local_date - day(local_date)::integer + 1
        as local_month,  -- First day of the month of the response, on the account's clocks.
    hour(local_time) as local_hour,  -- Hour of the response on the account's clocks, 0 to 23.
    make_timestamp(epoch_us(local_time) // (60_000_000 * interval_minutes) * (60_000_000 * interval_minutes))
        as local_start_time  -- Start of the interval of the response on the account's clocks.
from located
