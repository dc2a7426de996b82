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
),

near as (
    select
        *,
        unnest(
            range(
                greatest(least(first_date, make_timestamp(epoch_us(first_time))::date) - 1, date '2014-12-31'),
                least(greatest(last_date, make_timestamp(epoch_us(last_time))::date) + 3, date '2046-01-02'),
                interval 1 day
            )
        ) as midnight
    from bounds
),

days as (
    select
        near.* exclude (midnight),
        near.midnight::date as date,
        to_timestamp(epoch_ms(near.midnight) // 1000 - clock.offset_seconds) as start_time,
        lead(start_time) over (partition by near.account_id order by near.midnight) as end_time
    from near
    join utc_offsets as clock
        on near.time_zone = clock.time_zone
        and year(near.midnight) = clock.year
        and near.midnight >= clock.from_local_time
        and near.midnight < clock.until_local_time
)

select
    account_id,  -- The LivePerson account.
    date,  -- Day on the account's clocks.
    start_time,  -- Instant at which the day begins.
    end_time,  -- Instant at which the next day begins.
    (epoch_ms(end_time) - epoch_ms(start_time)) / 3_600_000 as hour_count,  -- Length of the day.
    date - (isodow(date) - 1)::integer as week,  -- Monday of the week (ISO), on the account's clocks.
    make_date(year(date), month(date), 1) as month,  -- First day of the month, on the account's clocks.
    isodow(date) as weekday,  -- Day of the week, 1 (Monday) to 7 (Sunday).
    dayname(date) as weekday_name,  -- Day of the week.
    coalesce(
        known_until < greatest(end_time, to_timestamp(epoch(date) + 86_400)) + patience,
        true
    ) as is_provisional  -- Whether more conversations can still come.
from days
where
    end_time is not null
    and (date between first_date and last_date or (start_time <= last_time and end_time > first_time))
