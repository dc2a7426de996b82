-- How much of the agents' time was spent with one, two, three conversations at a time, and how soon they then answered.
-- Grain:   one row per account_id, date (UTC), type, is_bot and concurrent_count from 1 on.
-- Counts:  all agents, as in agent_concurrency_daily. Only conversations of the type count: an agent with one chat and
--          one messaging conversation has one of each. So times of chat and messaging do not add up to the agents'
--          time; agent_seconds of staffing_by_interval does.
-- Units:   seconds of agents; shares of the time of all counts, from 0 to 1.
-- Source:  concurrency as in Analytics Builder, through agent_concurrency_daily.
-- Twins:   local_date, local_week, local_month

select
    account_id,  -- The LivePerson account.
    date,
    type,
    is_bot,  -- Work of bots, else of people: by agents.csv, else by skills.csv.
    concurrent_count,
    count(distinct agent_id) as engaged_agent_count,  -- Agents with a conversation, each once.
    sum(engaged_seconds) as engaged_seconds,  -- Time with a conversation of the type, two at a time counted once.
    sum(sum(engaged_seconds)) over whole as engaged_of_seconds,  -- Time of the agents with one of the type or more.
    sum(engaged_seconds) / nullif(engaged_of_seconds, 0) as engaged_share,  -- engaged_seconds / engaged_of_seconds.
    sum(engaged_segment_count)::bigint as engaged_segment_count,  -- Segments of some length that the agent got.
    sum(first_response_count)::bigint
        as first_response_count,  -- Segments with a known time from assignment to the first agent line.
    sum(first_response_sum_seconds)
        as first_response_sum_seconds,  -- Sum of the times from assignment to the first agent line.
    sum(first_response_sum_seconds) / nullif(sum(first_response_count), 0)
        as first_response_avg_seconds  -- first_response_sum_seconds / first_response_count.
from agent_concurrency_daily
group by account_id, date, type, is_bot, concurrent_count
window whole as (partition by account_id, date, type, is_bot)
