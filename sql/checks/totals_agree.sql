-- Two views count the same and come to different totals. This is a fault of the SQL library, not of the source: please
-- report it, and don't trust the views that are named.
-- Returns: one row per account, date and rule that does not hold, with both totals.

with totals as (
    select account_id, date, 'connected + abandoned = conversations' as rule,
        connected_count + abandoned_count as one, conversation_count as other
    from queue_time_daily
    union all
    select account_id, date, 'wait_histogram_daily adds up to the connected with a queue time' as rule,
        sum(conversation_count) as one, any_value(queued_count) as other
    from wait_histogram_daily
    group by account_id, date
    union all
    select account_id, date, 'bands of mcs_band_daily = buckets of mcs_distribution' as rule,
        sum(banded_count) as one, sum(conversation_count) as other
    from (
        select account_id, date, banded_count, 0 as conversation_count from mcs_band_daily
        union all
        select account_id, date, 0 as banded_count, conversation_count from mcs_distribution
    )
    group by account_id, date
    union all
    select account_id, null as date, 'arrivals_by_interval = entries of queues' as rule,
        sum(request_count) as one, sum(entry_count) as other
    from (
        select account_id, request_count, 0 as entry_count from arrivals_by_interval
        union all
        select account_id, 0 as request_count, 1 as entry_count from entry_parts
    )
    group by account_id
)

select account_id, date, rule, one, other
from totals
where one <> other
