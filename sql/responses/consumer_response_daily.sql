-- Response times of visitors.
-- Grain:   one row per account_id and date (UTC, of the conversation's start) with an answer by a visitor.
-- Counts:  visitor lines that follow an agent line in dialogue_lines; timed_count is those with a time, which the
--          other columns look at.
-- Units:   seconds from the first line of the agent's run; percentiles are interpolated (quantile_cont). A negative
--          time counts as none.
-- Source:  consumer response time as in Analytics Builder, through turns; it belongs to no agent.

with answers as (
    select
        account_id,
        date,
        case when timestamp >= answered_time then epoch_ms(timestamp) - epoch_ms(answered_time) end
            as response_milliseconds
    from turns
    where not is_agent and turn_number > 1
)

select
    account_id,
    date,
    count(*) as response_count,  -- Visitors' answers to agents, timed or not.
    count(response_milliseconds) as timed_count,  -- Answers with a time.
    avg(response_milliseconds) / 1000 as response_avg_seconds,  -- Mean time of an answer.
    quantile_cont(response_milliseconds, 0.5) / 1000 as response_p50_seconds,  -- Median time of an answer.
    quantile_cont(response_milliseconds, 0.9) / 1000
        as response_p90_seconds,  -- Time that 90 % of answers did not exceed.
    max(response_milliseconds) / 1000 as response_max_seconds  -- Longest time of an answer.
from answers
group by account_id, date
