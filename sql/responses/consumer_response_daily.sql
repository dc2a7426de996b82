-- Response times of visitors.
-- Grain:   one row per account_id, date (UTC, of the agent's line that follows), type and is_bot with an answer by a
--          visitor.
-- Counts:  visitors' answers between two responses of agents: from one response to the visitor's line that the next
--          response answers. So the last words of a visitor, which no agent answered, are not in it, nor is the answer
--          to a greeting. visitor_timed_count is those with a time, which the other columns look at. is_bot: the
--          visitor answered a bot.
-- Units:   seconds from the first line of the agent's run; percentiles are interpolated (quantile_cont). A negative
--          time counts as none.
-- Source:  ours, through responses; the consumer response time of Analytics Builder has answers to greetings, too.
-- Twins:   local_date, local_week, local_month

-- Bots' responses are few: to look for theirs is cheaper than to look for the former response of each.
with answered_bots as (
    select
        account_id,
        conversation_id,
        response_number + 1 as response_number
    from named_responses
    where is_bot
),

answers as (
    select
        response.account_id,
        response.date,
        response.type,
        bot.response_number is not null as is_bot,
        response.visitor_response_milliseconds
    from named_responses as response
    left join answered_bots as bot
        on response.account_id is not distinct from bot.account_id
        and response.conversation_id = bot.conversation_id
        and response.response_number = bot.response_number
    where response.response_number > 1
)

select
    account_id,  -- The LivePerson account.
    date,  -- UTC day of the agent's line that follows the visitor's answer.
    type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    is_bot,  -- The visitor answered a bot.
    count(*) as visitor_response_count,  -- Visitors' answers between two responses of agents, timed or not.
    count(visitor_response_milliseconds) as visitor_timed_count,  -- Visitors' answers with a time.
    coalesce(sum(visitor_response_milliseconds), 0) / 1000
        as visitor_response_sum_seconds,  -- Sum of the times of visitors' answers.
    avg(visitor_response_milliseconds) / 1000
        as visitor_response_avg_seconds,  -- Mean time: visitor_response_sum_seconds / visitor_timed_count.
    quantile_cont(visitor_response_milliseconds, 0.5) / 1000
        as visitor_response_p50_seconds,  -- Median of the visitor_timed_count times of visitors' answers.
    quantile_cont(visitor_response_milliseconds, 0.9) / 1000
        as visitor_response_p90_seconds,  -- Time that 90 % of the visitor_timed_count answers did not exceed.
    max(visitor_response_milliseconds) / 1000
        as visitor_response_max_seconds  -- Longest time of a visitor's answer.
from answers
group by account_id, date, type, is_bot
