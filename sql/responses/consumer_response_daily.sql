-- Response times of visitors.
-- Grain:   one row per account_id, date (UTC, of the agent's line that follows), type and is_bot with an answer by a
--          visitor that has a time.
-- Counts:  visitors' runs of lines between two runs of agents' lines: from a response or greeting to the line that the
--          next response answers. So the last words of a visitor, which no agent answered, are not in it; nor is an
--          answer that has no time, or a negative one. is_bot: the visitor answered a bot.
-- Units:   seconds from the first line of the agent's run; percentiles are interpolated (quantile_cont).
-- Source:  Consumer response time of Analytics Builder, through responses.
-- Twins:   local_date, local_week, local_month

with answers as (
    select
        response.account_id,
        response.date,
        response.type,
        coalesce(agent.is_bot, skill.is_bot, false) as is_bot,
        response.visitor_response_milliseconds
    from named_responses as response
    left join skill_names as skill
        on response.account_id = skill.account_id
        and response.former_skill_id = skill.skill_id
    left join agent_names as agent
        on response.account_id = agent.account_id
        and response.former_agent_id = agent.agent_id
    where response.visitor_response_milliseconds is not null
)

select
    account_id,  -- The LivePerson account.
    date,  -- UTC day of the agent's line that follows the visitor's answer.
    type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    is_bot,  -- True where visitors answered a bot.
    count(*) as visitor_response_count,  -- Visitors' answers to a response or greeting, with a time.
    sum(visitor_response_milliseconds) / 1000
        as visitor_response_sum_seconds,  -- Sum of the times of visitors' answers.
    avg(visitor_response_milliseconds) / 1000
        as visitor_response_avg_seconds,  -- Mean time: visitor_response_sum_seconds / visitor_response_count.
    quantile_cont(visitor_response_milliseconds, 0.5) / 1000
        as visitor_response_p50_seconds,  -- Median of the visitor_response_count times of visitors' answers.
    quantile_cont(visitor_response_milliseconds, 0.9) / 1000
        as visitor_response_p90_seconds,  -- Time that 90 % of the visitor_response_count answers did not exceed.
    max(visitor_response_milliseconds) / 1000
        as visitor_response_max_seconds  -- Longest time of a visitor's answer.
from answers
group by account_id, date, type, is_bot
