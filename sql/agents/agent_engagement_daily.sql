-- Time that agents were engaged, and in how many conversations at a time.
-- Grain:   one row per account_id, agent_id and local_date (of the account's time zone) on which the agent had a
--          segment.
-- Counts:  segments with an agent, from the assignment to their end, cut at local midnight; segment_count of them on
--          the day. A segment in which the agent of a transfer was never connected counts for no agent.
-- Units:   seconds. engaged_seconds: at least one conversation, two at a time counted once. engaged_total_seconds: two
--          at a time counted twice. concurrency = total / engaged, at least 1. peak_count is the most at one moment;
--          who leaves makes room for who comes in the same millisecond.
-- Source:  engaged time, cumulative engaged time and concurrency as in Analytics Builder. Time online is not in these
--          files, so there is no occupancy.

with engaged as (
    select
        segment_parts.account_id,
        segment_parts.agent_id,
        rules.time_zone,
        segment_parts.assigned_time,
        segment_parts.segment_end_time
    from segment_parts
    join account_rules as rules
        on rules.account_id is not distinct from rules_account(segment_parts.account_id)
    where segment_parts.agent_id is not null and segment_parts.segment_end_time > segment_parts.assigned_time
),

cut as (
    select
        engaged.account_id,
        engaged.agent_id,
        local_days.local_date,
        greatest(epoch_ms(engaged.assigned_time), epoch_ms(local_days.start_time)) as from_milliseconds,
        least(epoch_ms(engaged.segment_end_time), epoch_ms(local_days.end_time)) as until_milliseconds
    from (
        select
            *,
            -- A local day may begin most of a day before or after that of UTC.
            unnest(
                range(
                    epoch_ms(assigned_time) // 86_400_000 - 1,
                    least(epoch_ms(segment_end_time) // 86_400_000 + 2, epoch_ms(assigned_time) // 86_400_000 + 3_650)
                )
            ) as day_number
        from engaged
    ) as engaged
    join local_days
        on engaged.time_zone = local_days.time_zone
        and make_timestamp(engaged.day_number * 86_400_000_000)::date = local_days.local_date
        and engaged.assigned_time < local_days.end_time
        and engaged.segment_end_time > local_days.start_time
),

changes as (
    select account_id, agent_id, local_date, from_milliseconds as at_milliseconds, 1 as change
    from cut
    union all
    select account_id, agent_id, local_date, until_milliseconds as at_milliseconds, -1 as change
    from cut
),

moments as (
    select
        account_id,
        agent_id,
        local_date,
        at_milliseconds,
        sum(change) as change,
        count(*) filter (where change > 0) as begun_count
    from changes
    group by account_id, agent_id, local_date, at_milliseconds
),

steps as (
    select
        account_id,
        agent_id,
        local_date,
        begun_count,
        sum(change) over (
            partition by account_id, agent_id, local_date order by at_milliseconds
            rows between unbounded preceding and current row
        ) as conversation_count,
        lead(at_milliseconds) over (
            partition by account_id, agent_id, local_date order by at_milliseconds
        ) - at_milliseconds as milliseconds
    from moments
)

select
    account_id,  -- The LivePerson account.
    agent_id,  -- The agent; never NULL.
    local_date,  -- Day on the account's clocks.
    sum(begun_count)::bigint as segment_count,  -- Segments that began or went on during the day.
    sum(milliseconds) filter (where conversation_count > 0) / 1000
        as engaged_seconds,  -- Time with a conversation at least.
    sum(milliseconds * conversation_count) / 1000 as engaged_total_seconds,  -- The segments' times added up.
    engaged_total_seconds / nullif(engaged_seconds, 0) as concurrency,  -- engaged_total_seconds / engaged_seconds.
    max(conversation_count)::bigint as peak_count  -- Most conversations at one moment.
from steps
group by account_id, agent_id, local_date
