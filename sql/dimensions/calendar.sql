-- The days of each account, on its own clocks: start, end, week, month, weekday, and whether more can still come.
-- Grain:   one row per account_id and date, from the first day with a conversation to the newest known hour's.
-- Counts:  all days between, quiet ones, too; it joins date (UTC) and local_date alike. The newest known hour is that
--          of the last loaded file, or the last that the API was asked about; else the newest end of a conversation.
-- Units:   start_time and end_time are instants. is_provisional: the newest known hour ends less than provisional_hours
--          after the day, in UTC and on local clocks. Conversations are sent when they close, so later ones can come.
-- Source:  ours; conversations, files, listings and settings. Days before 2015 and after 2045 are left out.

with spans as (
    select
        account_id,
        min(date) as first_date,
        max(date) as last_date,
        min(conversation_start_time) as first_time,
        max(conversation_start_time) as last_time,
        max(conversation_end_time) as newest_end_time
    from conversations
    group by account_id
),

hours as (
    select account_id, max(scope_end_time) as end_time
    from files
    where status = 'loaded'
    group by account_id
    union all
    select account_id, max(hour) + interval 1 hour
    from listings
    where listed_at is not null
    group by account_id
),

newest as (
    select account_id, max(end_time) as end_time
    from hours
    group by account_id
),

bounds as (
    select
        spans.account_id,
        spans.first_date,
        spans.last_date,
        spans.first_time,
        coalesce(newest.end_time, spans.newest_end_time) as known_until,
        greatest(spans.last_time, newest.end_time - interval 1 millisecond) as last_time,
        rules.time_zone,
        to_milliseconds(rules.provisional_hours * 3_600_000) as patience
    from spans
    join account_rules as rules
        on rules.account_id is not distinct from rules_account(spans.account_id)
    left join newest on spans.account_id is not distinct from newest.account_id
)

select
    bounds.account_id,  -- The LivePerson account.
    day.local_date as date,  -- The day.
    day.start_time,  -- Instant at which the day begins on the account's clocks.
    day.end_time,  -- Instant at which the next day begins there.
    day.hour_count,  -- Length of the day there.
    day.local_date - (isodow(day.local_date) - 1)::integer as week,  -- Monday of the day's week (ISO).
    make_date(year(day.local_date), month(day.local_date), 1) as month,  -- First day of the day's month.
    isodow(day.local_date) as weekday,  -- Day of the week, 1 (Monday) to 7 (Sunday).
    dayname(day.local_date) as weekday_name,  -- Day of the week.
    coalesce(
        bounds.known_until < greatest(day.end_time, to_timestamp(epoch(day.local_date) + 86_400)) + bounds.patience,
        true
    ) as is_provisional  -- Whether more conversations of the day can still come.
from bounds
join local_days as day
    on bounds.time_zone = day.time_zone
    and (
        day.local_date between bounds.first_date and bounds.last_date
        or (day.start_time <= bounds.last_time and day.end_time > bounds.first_time)
    )
