-- Distribution of waits in queues over buckets.
-- Grain:   one row per account_id, date (UTC, of entering) and type with a wait, and lower_seconds: the buckets of
--          wait_bounds_seconds, those without anybody too.
-- Counts:  entries of people with a known wait that were answered or abandoned; bots have a column of their own.
--          people_queued_of_count is that of all buckets. cumulative_share is the share of the answered that waited
--          less than upper_seconds; it is 1 in the last bucket, whose upper_seconds is NULL.
-- Units:   seconds, lower bound included, upper bound not; shares from 0 to 1. The SQL first counts the entries of each
--          bucket that has some, then gives each day all of its buckets, and adds up from the lowest.
-- Source:  the vendor's SLA histogram, with its bounds as the setting's default.
-- Twins:   local_date, local_week, local_month

with waits as (
    select
        account_id,
        date,
        type,
        wait_bounds_seconds as bounds,
        len(list_filter(wait_bounds_milliseconds, lambda bound: bound <= wait_milliseconds)) as bucket,
        outcome = 'answered' and not is_bot as is_answered,
        outcome = 'abandoned' and not is_bot as is_abandoned,
        outcome = 'answered' and is_bot as is_answered_by_bot
    from named_entries
    where wait_milliseconds is not null and outcome in ('answered', 'abandoned')
),

counted as (
    select
        account_id,
        date,
        type,
        bounds,
        bucket,
        count(*) filter (where is_answered) as people_queued_count,
        count(*) filter (where is_abandoned) as waited_count,
        count(*) filter (where is_answered_by_bot) as bot_queued_count
    from waits
    group by account_id, date, type, bounds, bucket
),

-- A join with numbers, since no filter gets past unnest.
buckets as (
    select
        days.*,
        numbers.bucket
    from (select distinct account_id, date, type, bounds from counted) as days
    join range(1, 100) as numbers(bucket) on numbers.bucket <= len(days.bounds)
)

select
    buckets.account_id,
    buckets.date,
    buckets.type,
    buckets.bounds[buckets.bucket] as lower_seconds,  -- Shortest wait of the bucket.
    buckets.bounds[buckets.bucket + 1] as upper_seconds,  -- The bucket's waits are shorter; NULL: no limit.
    coalesce(counted.people_queued_count, 0) as people_queued_count,  -- Answered entries of people with a known wait.
    coalesce(counted.waited_count, 0) as waited_count,  -- Abandoned entries of people with a known wait.
    coalesce(counted.bot_queued_count, 0) as bot_queued_count,  -- Entries with a known wait that a bot answered.
    (sum(counted.people_queued_count) over day)::bigint
        as people_queued_of_count,  -- Answered entries of people with a known wait, in all buckets.
    coalesce(counted.people_queued_count, 0) / nullif(people_queued_of_count, 0)
        as bucket_share,  -- people_queued_count / people_queued_of_count.
    coalesce(sum(counted.people_queued_count) over so_far, 0) / nullif(people_queued_of_count, 0)
        as cumulative_share  -- Share of people_queued_of_count in this bucket and the lower ones.
from buckets
left join counted
    on buckets.account_id is not distinct from counted.account_id
    and buckets.date is not distinct from counted.date
    and buckets.type is not distinct from counted.type
    and buckets.bucket = counted.bucket
window
    day as (partition by buckets.account_id, buckets.date, buckets.type),
    so_far as (
        partition by buckets.account_id, buckets.date, buckets.type order by buckets.bucket
        rows between unbounded preceding and current row
    )
