-- Response times of agents, day by day.
-- Grain:   one row per account_id, date (UTC, of the agent's line), type and is_bot with a response.
-- Counts:  responses as in the table responses. Four times, each with the number of responses that have it: response,
--          from the visitor's line; from_assignment, from the later of it and the assignment of the agent: the part
--          that the agent is answerable for; first_reply and first_answer, the same two of each conversation's first
--          response. is_bot keeps the instant answers of bots apart.
-- Units:   seconds; percentiles are interpolated (quantile_cont); a negative time counts as none.
-- Source:  agent response time as in Analytics Builder, through responses.
-- Twins:   local_date, local_week, local_month

select
    account_id,
    date,
    type,
    is_bot,
    count(*) as response_count,  -- Responses, timed or not.
    count(response_milliseconds) as timed_count,  -- Responses with a time.
    coalesce(sum(response_milliseconds), 0) / 1000 as response_sum_seconds,  -- Sum of the times of responses.
    avg(response_milliseconds) / 1000
        as response_avg_seconds,  -- Mean time of a response: response_sum_seconds / timed_count.
    quantile_cont(response_milliseconds, 0.5) / 1000
        as response_p50_seconds,  -- Median of the timed_count times of responses.
    quantile_cont(response_milliseconds, 0.9) / 1000
        as response_p90_seconds,  -- Time that 90 % of the timed_count responses did not exceed.
    max(response_milliseconds) / 1000 as response_max_seconds,  -- Longest time of a response.
    count(from_assignment_milliseconds)
        as from_assignment_count,  -- Responses with a time from the assignment.
    coalesce(sum(from_assignment_milliseconds), 0) / 1000
        as from_assignment_sum_seconds,  -- Sum of the times of responses from the assignment.
    avg(from_assignment_milliseconds) / 1000
        as from_assignment_avg_seconds,  -- from_assignment_sum_seconds / from_assignment_count.
    quantile_cont(from_assignment_milliseconds, 0.5) / 1000
        as from_assignment_p50_seconds,  -- Median of the from_assignment_count times from the assignment.
    quantile_cont(from_assignment_milliseconds, 0.9) / 1000
        as from_assignment_p90_seconds,  -- Time from the assignment that 90 % of from_assignment_count did not exceed.
    count(response_milliseconds) filter (where response_number = 1)
        as first_reply_count,  -- Conversations' first responses with a time.
    avg(response_milliseconds) filter (where response_number = 1) / 1000
        as first_reply_avg_seconds,  -- Mean time of the first_reply_count first responses.
    quantile_cont(response_milliseconds, 0.5) filter (where response_number = 1) / 1000
        as first_reply_p50_seconds,  -- Median time of the first_reply_count first responses.
    quantile_cont(response_milliseconds, 0.9) filter (where response_number = 1) / 1000
        as first_reply_p90_seconds,  -- Time that 90 % of the first_reply_count first responses did not exceed.
    count(from_assignment_milliseconds) filter (where response_number = 1)
        as first_answer_count,  -- Conversations' first responses with a time from the assignment.
    avg(from_assignment_milliseconds) filter (where response_number = 1) / 1000
        as first_answer_avg_seconds,  -- Mean time of the first_answer_count first responses from the assignment.
    quantile_cont(from_assignment_milliseconds, 0.5) filter (where response_number = 1) / 1000
        as first_answer_p50_seconds,  -- Median time of the first_answer_count first responses from the assignment.
    quantile_cont(from_assignment_milliseconds, 0.9) filter (where response_number = 1) / 1000
        as first_answer_p90_seconds  -- Time from the assignment that 90 % of first_answer_count did not exceed.
from named_responses
group by account_id, date, type, is_bot
