-- Time that agents were engaged, and in how many conversations at a time.
-- Grain:   one row per account_id, date (UTC), type, agent_id and is_bot on which the agent had a segment.
-- Counts:  segments with an agent, from the assignment to their end, cut at midnight; the times with one, two, three
--          conversations in agent_concurrency_daily are added up: once each as engaged time, times their number as
--          total. engaged_segment_count are those that the agent got. Only conversations of the type count, so times of
--          chat and messaging do not add up to the agent's time.
-- Units:   seconds. concurrency = total / engaged, at least 1. peak_count is the most at one moment; who leaves makes
--          room for who comes in the same millisecond.
-- Source:  engaged time, cumulative engaged time and concurrency as in Analytics Builder. Time online is not in these
--          files, so there is no occupancy.
-- Twins:   local_date, local_week, local_month

select
    account_id,  -- The LivePerson account.
    date,
    type,
    agent_id,  -- The agent; never NULL.
    any_value(agent_name) as agent_name,
    any_value(agent_group) as agent_group,
    is_bot,  -- Work of bots, else of people: by agents.csv, else by skills.csv.
    sum(engaged_segment_count)::bigint as engaged_segment_count,  -- Segments of some length that the agent got.
    sum(engaged_seconds) as engaged_seconds,  -- Time with a conversation of the type, two at a time counted once.
    sum(engaged_seconds * concurrent_count)
        as engaged_total_seconds,  -- The segments' times added up, two at a time counted twice.
    sum(engaged_seconds * concurrent_count) / nullif(sum(engaged_seconds), 0)
        as concurrency,  -- engaged_total_seconds / engaged_seconds.
    max(concurrent_count) as peak_count  -- Most conversations of the type at one moment.
from agent_concurrency_daily
group by account_id, date, type, agent_id, is_bot
