-- Response times of visitors.
-- Grain:   one row per account_id, date (UTC, of the agent's line that follows), type and is_bot with an answer by a
--          visitor.
-- Counts:  visitors' answers between two responses of agents: from one response to the visitor's line that the next
--          response answers. So the last words of a visitor, which no agent answered, are not in it, nor is the answer
--          to a greeting. visitor_timed_count is those with a time, which the other columns look at. is_bot: the
--          visitor answered a bot.
-- Units:   seconds from the first line of the agent's run; percentiles are interpolated (quantile_cont). A negative
--          time counts as none.
-- Source:  consumer response time as in Analytics Builder, through responses; it belongs to no agent.
-- Twins:   local_date, local_week, local_month

with answers as (
    select
        later.account_id,
        later.date,
        later.type,
        coalesce(skill.is_bot or agent.is_bot, skill.is_bot, agent.is_bot, false) as is_bot,
        case
            when later.visitor_time >= earlier.response_time
                then epoch_ms(later.visitor_time) - epoch_ms(earlier.response_time)
        end as answer_milliseconds
    from named_responses as later
    join responses as earlier
        on later.conversation_id = earlier.conversation_id
        and later.account_id is not distinct from earlier.account_id
        and later.response_number = earlier.response_number + 1
    left join skill_names as skill
        on earlier.account_id = skill.account_id
        and earlier.skill_id = skill.skill_id
    left join agent_names as agent
        on earlier.account_id = agent.account_id
        and earlier.agent_id = agent.agent_id
)

select
    account_id,  -- The LivePerson account.
    date,  -- UTC day of the agent's line that follows the visitor's answer.
    type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    is_bot,  -- The visitor answered a bot.
    count(*) as visitor_response_count,  -- Visitors' answers between two responses of agents, timed or not.
    count(answer_milliseconds) as visitor_timed_count,  -- Visitors' answers with a time.
    coalesce(sum(answer_milliseconds), 0) / 1000
        as visitor_response_sum_seconds,  -- Sum of the times of visitors' answers.
    avg(answer_milliseconds) / 1000
        as visitor_response_avg_seconds,  -- Mean time: visitor_response_sum_seconds / visitor_timed_count.
    quantile_cont(answer_milliseconds, 0.5) / 1000
        as visitor_response_p50_seconds,  -- Median of the visitor_timed_count times of visitors' answers.
    quantile_cont(answer_milliseconds, 0.9) / 1000
        as visitor_response_p90_seconds,  -- Time that 90 % of the visitor_timed_count answers did not exceed.
    max(answer_milliseconds) / 1000 as visitor_response_max_seconds  -- Longest time of a visitor's answer.
from answers
group by account_id, date, type, is_bot
