-- Distribution of the waits of connected visitors over buckets.
-- Grain:   one row per account_id, date (UTC, of the conversation's start) with a wait, and bucket of
--          wait_bounds_seconds; buckets without anybody are there, too.
-- Counts:  connected conversations with a queue time, queued_count on the day. cumulative_share is the share that
--          waited less than upper_seconds; it is 1 in the last bucket, whose upper_seconds is NULL.
-- Units:   seconds, lower bound included, upper bound not; shares from 0 to 1.
-- Source:  the vendor's SLA histogram, with its bounds as the setting's default.

with waits as (
    select
        account_id,
        date,
        wait_bounds_seconds,
        len(list_filter(wait_bounds_seconds, lambda bound: bound * 1000 <= connected_queue_milliseconds)) as bucket
    from conversation_rules
    where connected_queue_milliseconds is not null
),

filled as (
    select
        account_id,
        date,
        bucket,
        any_value(wait_bounds_seconds) as bounds,
        count(*) as conversation_count
    from waits
    group by account_id, date, bucket
),

days as (
    select
        account_id,
        date,
        any_value(bounds) as bounds,
        sum(conversation_count) as queued_count,
        map(list(bucket), list(conversation_count)) as counts
    from filled
    group by account_id, date
),

-- A join with numbers, since no filter gets past unnest to the files.
buckets as (
    select
        days.*,
        numbers.bucket
    from days
    join range(1, 100) as numbers(bucket) on numbers.bucket <= len(days.bounds)
)

select
    account_id,
    date,
    bounds[bucket] as lower_seconds,  -- Shortest wait of the bucket.
    bounds[bucket + 1] as upper_seconds,  -- The bucket's waits are shorter; NULL: no limit.
    coalesce(counts[bucket], 0) as conversation_count,  -- Connected conversations in the bucket.
    queued_count::bigint as queued_count,  -- Connected conversations in all buckets of the day.
    coalesce(counts[bucket], 0) / queued_count as conversation_share,  -- conversation_count / queued_count.
    sum(coalesce(counts[bucket], 0)) over (
        partition by account_id, date order by bucket
        rows between unbounded preceding and current row
    ) / queued_count as cumulative_share  -- Share of queued_count in this bucket and those below.
from buckets
