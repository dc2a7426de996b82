-- How long each agent had one, two, three conversations at a time, and how soon the agent then answered.
-- Grain:   one row per account_id, date (UTC), type, agent_id, is_bot and concurrent_count from 1 on.
-- Counts:  segments with an agent, cut at midnight. Every beginning of a part adds one to the agent's conversations,
--          every end takes one away; the sum up to a moment is concurrent_count until the next moment.
--          engaged_segment_count: segments that the agent got and so came to have that many, all of the same
--          millisecond included. Only conversations of the type count: an agent with one chat and one messaging
--          conversation has one of each. So times of chat and messaging do not add up to the agent's time.
-- Units:   seconds; first_response from the assignment to the first agent line.
-- Source:  concurrency as in Analytics Builder, through engagement_parts.
-- Twins:   local_date, local_week, local_month

with pieces as materialized (
    select
        account_id,
        date,
        type,
        agent_id,
        is_bot,
        from_milliseconds,
        until_milliseconds,
        is_assigned,
        first_response_milliseconds
    from engagement_parts
),

-- A number in the place of five columns, by which changes are put in order.
days as (
    select
        account_id,
        date,
        type,
        agent_id,
        is_bot,
        row_number() over () as day_number
    from pieces
    group by account_id, date, type, agent_id, is_bot
),

parts as (
    select
        days.day_number,
        part.from_milliseconds,
        part.until_milliseconds,
        part.is_assigned,
        part.first_response_milliseconds
    from pieces as part
    join days
        on part.account_id is not distinct from days.account_id
        and part.date = days.date
        and part.type is not distinct from days.type
        and part.agent_id = days.agent_id
        and part.is_bot = days.is_bot
),

changes as (
    select
        day_number,
        from_milliseconds as at_milliseconds,
        1 as change,
        is_assigned,
        first_response_milliseconds
    from parts
    union all
    select
        day_number,
        until_milliseconds as at_milliseconds,
        -1 as change,
        false as is_assigned,
        null as first_response_milliseconds
    from parts
),

-- Over all days at once: each day's changes add up to 0.
moments as (
    select
        day_number,
        sum(change) over in_order as concurrent_count,
        lead(at_milliseconds) over in_order - at_milliseconds as milliseconds,
        is_assigned,
        first_response_milliseconds
    from changes
    window in_order as (order by day_number, at_milliseconds)
),

counted as (
    select
        day_number,
        concurrent_count::bigint as concurrent_count,
        sum(milliseconds) as engaged_milliseconds,
        count(*) filter (where is_assigned) as engaged_segment_count,
        count(first_response_milliseconds) as first_response_count,
        coalesce(sum(first_response_milliseconds), 0) as first_response_milliseconds
    from moments
    where concurrent_count > 0
    group by day_number, concurrent_count
)

select
    days.account_id,  -- The LivePerson account.
    days.date,
    days.type,
    days.agent_id,  -- The agent; never NULL.
    agent.agent_name,
    agent.agent_group,
    days.is_bot,  -- Work of bots, else of people: by agents.csv, else by skills.csv.
    counted.concurrent_count,  -- Conversations of the type that the agent had at the same time.
    counted.engaged_milliseconds / 1000
        as engaged_seconds,  -- Time with a conversation of the type, two at a time counted once.
    counted.engaged_segment_count,  -- Segments of some length that the agent got.
    counted.first_response_count,  -- Segments with a known time from assignment to the first agent line.
    counted.first_response_milliseconds / 1000
        as first_response_sum_seconds,  -- Sum of the times from assignment to the first agent line.
    first_response_sum_seconds / nullif(counted.first_response_count, 0)
        as first_response_avg_seconds  -- first_response_sum_seconds / first_response_count.
from counted
join days on counted.day_number = days.day_number
left join agent_names as agent
    on days.account_id = agent.account_id
    and days.agent_id = agent.agent_id
