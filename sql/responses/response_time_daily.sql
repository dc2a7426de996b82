-- Response times of agents, day by day.
-- Grain:   one row per account_id and date (UTC, of the conversation's start) with a response.
-- Counts:  agent responses as in agent_responses; timed_count is those with a time, which the other columns look at.
--          first_reply is each conversation's first response, the answer to the visitor's first line.
-- Units:   seconds from the first line of the visitor's run; percentiles are interpolated (quantile_cont).
-- Source:  timestamp and type of Message, through agent_responses.

select
    account_id,
    date,
    count(*) as response_count,  -- Responses, timed or not.
    count(response_milliseconds) as timed_count,  -- Responses with a time.
    avg(response_milliseconds) / 1000 as response_avg_seconds,  -- Mean time of a response.
    quantile_cont(response_milliseconds, 0.5) / 1000 as response_p50_seconds,  -- Median time of a response.
    quantile_cont(response_milliseconds, 0.9) / 1000
        as response_p90_seconds,  -- Time that 90 % of responses did not exceed.
    max(response_milliseconds) / 1000 as response_max_seconds,  -- Longest time of a response.
    quantile_cont(response_milliseconds, 0.5) filter (where response_number = 1) / 1000
        as first_reply_p50_seconds,  -- Median time of a conversation's first response.
    quantile_cont(response_milliseconds, 0.9) filter (where response_number = 1) / 1000
        as first_reply_p90_seconds  -- Time that 90 % of first responses did not exceed.
from agent_responses
group by account_id, date
