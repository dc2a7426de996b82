-- Share of answers that came within so many seconds.
-- Grain:   one row per account_id, date (UTC, of the conversation's start) with a timed response, and bound of
--          response_bounds_seconds; the last row of a day has no bound and holds all.
-- Counts:  agent responses with a time. within_count are those of all of them that came within the bound, within_share
--          its share of timed_count. The follow-up columns leave out each conversation's first response.
-- Units:   seconds, bound included; shares from 0 to 1, NULL where there is no response.
-- Source:  agent response SLA as in Analytics Builder, with finer bounds for chat; the bounds are a setting.

with responses as (
    select
        response.account_id,
        response.date,
        response.response_number = 1 as is_first,
        rules.response_bounds_seconds as bounds,
        len(list_filter(bounds, lambda bound: bound * 1000 < response.response_milliseconds)) + 1 as bucket
    from agent_responses as response
    join account_rules as rules
        on rules.account_id is not distinct from rules_account(response.account_id)
    where response.response_milliseconds is not null
),

filled as (
    select
        account_id,
        date,
        bucket,
        any_value(bounds) as bounds,
        count(*) as response_count,
        count(*) filter (where not is_first) as follow_up_count
    from responses
    group by account_id, date, bucket
),

days as (
    select
        account_id,
        date,
        any_value(bounds) as bounds,
        sum(response_count)::bigint as timed_count,
        sum(follow_up_count)::bigint as follow_up_count,
        map(list(bucket), list(response_count)) as counts,
        map(list(bucket), list(follow_up_count)) as follow_up_counts
    from filled
    group by account_id, date
),

-- A join with numbers, since no filter gets past unnest to the files.
buckets as (
    select
        days.*,
        numbers.bucket
    from days
    join range(1, 100) as numbers(bucket) on numbers.bucket <= len(days.bounds) + 1
)

select
    account_id,  -- The LivePerson account.
    date,
    bounds[bucket] as bound_seconds,  -- Bound of this row; NULL: none.
    sum(coalesce(counts[bucket], 0)) over up_to_here::bigint as within_count,  -- Responses within the bound.
    timed_count,  -- Responses with a time.
    within_count / timed_count as within_share,  -- within_count / timed_count.
    sum(coalesce(follow_up_counts[bucket], 0)) over up_to_here::bigint
        as follow_up_within_count,  -- Follow-up responses within the bound.
    follow_up_count,  -- Responses with a time but the first of a conversation.
    follow_up_within_count / nullif(follow_up_count, 0)
        as follow_up_within_share  -- follow_up_within_count / follow_up_count.
from buckets
window up_to_here as (
    partition by account_id, date order by bucket
    rows between unbounded preceding and current row
)
