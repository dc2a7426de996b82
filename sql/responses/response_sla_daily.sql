-- Share of answers that came within so many seconds.
-- Grain:   one row per account_id, date (UTC, of the agent's line), type and is_bot with a timed response, and
--          bound_seconds: the bounds of response_bounds_seconds; the last row of a day has no bound and holds all.
-- Counts:  agent responses with a time. Each response falls into one bucket: the first bound that it keeps. A row adds
--          up the buckets up to its bound. The follow-up columns leave out each conversation's first response.
-- Units:   seconds, bound included, compared in milliseconds; shares from 0 to 1, NULL where there is no response.
-- Source:  agent response SLA as in Analytics Builder, with finer bounds for chat; the bounds are a setting.
-- Twins:   local_date, local_week, local_month

with buckets as (
    select
        account_id,
        date,
        type,
        is_bot,
        response_bounds_seconds as bounds,
        len(list_filter(response_bounds_seconds, lambda bound: round(bound * 1000) < response_milliseconds)) + 1
            as bucket,
        count(*) as response_count,
        count(*) filter (where response_number > 1) as later_count
    from named_responses
    where response_milliseconds is not null
    group by account_id, date, type, is_bot, bounds, bucket
),

-- Every bucket meets every bound of its day.
pairs as (
    select
        *,
        unnest(range(1, len(bounds) + 2)) as bound_number
    from buckets
)

select
    account_id,  -- The LivePerson account.
    date,
    type,
    is_bot,
    bounds[bound_number] as bound_seconds,  -- Bound that the times are compared with; NULL: no bound is set.
    coalesce(sum(response_count) filter (where bucket <= bound_number), 0)::bigint
        as within_bound_count,  -- Responses within the bound.
    sum(response_count)::bigint as timed_count,  -- Responses with a time.
    within_bound_count / timed_count as within_bound_share,  -- within_bound_count / timed_count.
    coalesce(sum(later_count) filter (where bucket <= bound_number), 0)::bigint
        as follow_up_within_count,  -- Follow-up responses within the bound.
    sum(later_count)::bigint as follow_up_count,  -- Responses with a time but the first of a conversation.
    follow_up_within_count / nullif(follow_up_count, 0)
        as follow_up_within_share  -- follow_up_within_count / follow_up_count.
from pairs
group by account_id, date, type, is_bot, bounds, bound_number
