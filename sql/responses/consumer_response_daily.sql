-- Response times of visitors.
-- Grain:   one row per account_id, date (UTC, of the agent's line that follows) and type with an answer by a visitor.
-- Counts:  visitors' answers between two responses of agents: from one response to the visitor's line that the next
--          response answers. So the last words of a visitor, which no agent answered, are not in it, nor is the answer
--          to a greeting. timed_count is those with a time, which the other columns look at.
-- Units:   seconds from the first line of the agent's run; percentiles are interpolated (quantile_cont). A negative
--          time counts as none.
-- Source:  consumer response time as in Analytics Builder, through responses; it belongs to no agent.
-- Twins:   local_date, local_week, local_month

select
    account_id,  -- The LivePerson account.
    date,  -- UTC day of the agent's line that follows the visitor's answer.
    type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    count(*) as response_count,  -- Visitors' answers between two responses of agents, timed or not.
    count(visitor_response_milliseconds) as timed_count,  -- Visitors' answers with a time.
    coalesce(sum(visitor_response_milliseconds), 0) / 1000
        as response_sum_seconds,  -- Sum of the times of visitors' answers.
    avg(visitor_response_milliseconds) / 1000
        as response_avg_seconds,  -- Mean time of a visitor's answer: response_sum_seconds / timed_count.
    quantile_cont(visitor_response_milliseconds, 0.5) / 1000
        as response_p50_seconds,  -- Median of the timed_count times of visitors' answers.
    quantile_cont(visitor_response_milliseconds, 0.9) / 1000
        as response_p90_seconds,  -- Time that 90 % of the timed_count answers did not exceed.
    max(visitor_response_milliseconds) / 1000
        as response_max_seconds  -- Longest time of a visitor's answer.
from named_responses
where response_number > 1
group by account_id, date, type
