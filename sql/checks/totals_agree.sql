-- Two views count the same and come to different totals. This is a fault of the SQL library, not of the source: please
-- report it, and don't trust the views that are named.
-- Returns: one row per account, date and rule that does not hold, with both totals.

with totals as (
    select account_id, date, 'people and bots of service_level_daily = answered of queue_time_daily' as rule,
        sum(one_count) as one, sum(other_count) as other
    from (
        select account_id, date, people_answered_count + bot_answered_count as one_count, 0 as other_count
        from service_level_daily
        union all
        select account_id, date, 0 as one_count, answered_count as other_count from queue_time_daily
    )
    group by account_id, date
    union all
    select account_id, date, 'wait_histogram_daily adds up to the answered with a wait' as rule,
        sum(one_count) as one, sum(other_count) as other
    from (
        select account_id, date, people_queued_count as one_count, 0 as other_count from wait_histogram_daily
        union all
        select account_id, date, 0 as one_count, people_queued_count as other_count from queue_time_daily
    )
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
    select account_id, null as date, 'days of queue_time_daily = queue_time_by_skill' as rule,
        sum(one_count) as one, sum(other_count) as other
    from (
        select account_id, entry_count as one_count, 0 as other_count from queue_time_daily
        union all
        select account_id, 0 as one_count, entry_count as other_count from queue_time_by_skill
    )
    group by account_id
    union all
    select account_id, null as date, 'local days of queue_time_local_daily = queue_time_daily' as rule,
        sum(one_count) as one, sum(other_count) as other
    from (
        select account_id, entry_count as one_count, 0 as other_count from queue_time_local_daily
        union all
        select account_id, 0 as one_count, entry_count as other_count from queue_time_daily
    )
    group by account_id
    union all
    select account_id, null as date, 'intervals of queue_by_interval = those of arrivals_by_interval' as rule,
        sum(one_count) as one, sum(other_count) as other
    from (
        select account_id, offered_count as one_count, 0 as other_count from queue_by_interval
        union all
        select account_id, 0 as one_count, people_entry_count + bot_entry_count as other_count from arrivals_by_interval
    )
    group by account_id
)

select account_id, date, rule, one, other
from totals
where one <> other
