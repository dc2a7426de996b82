-- As calendar, with whether the data of the whole day are there.
-- Grain:   one row per account_id and date, a day on the account's clocks.
-- Counts:  is_whole: the source's first hour is not after the day's start, an hour of the day is known, and none is
--          lost, as known_hours has it. Hours that nobody asked about may lack, as files by hand have none for a quiet
--          hour. Where no file says its hour, all days are whole.
-- Units:   as in calendar.
-- Source:  ours, through calendar and known_hours.

with days as materialized (
    select account_id, date, start_time, end_time, week, month, is_provisional
    from calendar
),

sources as materialized (
    select account_id, hour, is_known, is_lost
    from known_hours
),

begun as (
    select account_id, min(hour) as first_hour
    from sources
    group by account_id
),

found as (
    select
        day.account_id,
        day.date,
        bool_or(sources.is_known) and not bool_or(sources.is_lost) as is_found
    from days as day
    join sources
        on day.account_id is not distinct from sources.account_id
        and sources.hour >= day.start_time
        and sources.hour < day.end_time
    group by day.account_id, day.date
)

select
    day.account_id,
    day.date,
    day.week,
    day.month,
    day.is_provisional,  -- Whether more conversations can still come.
    begun.first_hour is null
    or (begun.first_hour <= day.start_time and coalesce(found.is_found, false))
        as is_whole  -- The data of the whole day are there.
from days as day
left join begun on day.account_id is not distinct from begun.account_id
left join found
    on day.account_id is not distinct from found.account_id
    and day.date = found.date
