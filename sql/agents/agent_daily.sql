-- Segments of each agent, their length and lines, and the agent's response times, day by day.
-- Grain:   one row per account_id, date (UTC), type, agent_id and is_bot with a segment or a response; those without a
--          known agent are a group of their own. The day is that of a segment's assignment, of a response's line.
-- Counts:  segments that this agent had, in any conversation, not only those of which the agent was the last; responses
--          that the agent wrote, in anybody's segment. Scores are in mcs_by_agent.
-- Units:   seconds; percentiles are interpolated (quantile_cont); shares from 0 to 1, NULL where the denominator is 0.
--          engaged_sum_seconds counts two segments at a time twice.
-- Source:  segments and responses.
-- Twins:   local_date, local_week, local_month

with work as (
    select
        account_id,
        date,
        type,
        agent_id,
        agent_name,
        agent_group,
        is_bot,
        is_last,
        engaged_milliseconds,
        first_response_milliseconds,
        agent_line_count,
        visitor_line_count,
        false as is_response,
        null::bigint as response_milliseconds
    from named_segments
    union all
    select
        account_id,
        date,
        type,
        agent_id,
        agent_name,
        agent_group,
        is_bot,
        null as is_last,
        null as engaged_milliseconds,
        null as first_response_milliseconds,
        null as agent_line_count,
        null as visitor_line_count,
        true as is_response,
        response_milliseconds
    from named_responses
)

select
    account_id,
    date,  -- UTC day of a segment's assignment, of a response's line.
    type,
    agent_id,  -- The agent: of segments who had them, of responses the author.
    any_value(agent_name) as agent_name,  -- Name of the agent; NULL: it has none.
    any_value(agent_group) as agent_group,  -- Group of the agent; NULL: it has none.
    is_bot,
    count(*) filter (where not is_response) as segment_count,  -- Segments.
    count(*) filter (where is_last) as last_count,  -- Segments that were the last of their conversation.
    count(engaged_milliseconds) as engaged_count,  -- Segments with a known length.
    coalesce(sum(engaged_milliseconds), 0) / 1000
        as engaged_sum_seconds,  -- Sum of the times from assignment to end, two at a time counted twice.
    avg(engaged_milliseconds) / 1000
        as engaged_avg_seconds,  -- Mean time from assignment to end: engaged_sum_seconds / engaged_count.
    count(first_response_milliseconds)
        as first_response_count,  -- Segments with a known time from assignment to the first agent line.
    coalesce(sum(first_response_milliseconds), 0) / 1000
        as first_response_sum_seconds,  -- Sum of the times from assignment to the first agent line.
    avg(first_response_milliseconds) / 1000
        as first_response_avg_seconds,  -- first_response_sum_seconds / first_response_count.
    count(*) filter (where visitor_line_count > 0) as wrote_count,  -- Segments in which the visitor wrote.
    count(*) filter (where visitor_line_count > 0 and agent_line_count = 0)
        as non_responsive_count,  -- Segments in which the visitor wrote and no agent did.
    non_responsive_count / nullif(wrote_count, 0) as non_responsive_share,  -- non_responsive_count / wrote_count.
    coalesce(sum(agent_line_count), 0)::bigint as agent_line_count,  -- Lines by agents in the segments.
    coalesce(sum(visitor_line_count), 0)::bigint as visitor_line_count,  -- Lines by visitors in the segments.
    sum(agent_line_count) / nullif(sum(visitor_line_count), 0) as talk_ratio,  -- agent_line_count / visitor_line_count.
    count(*) filter (where is_response) as response_count,  -- Responses, timed or not.
    count(response_milliseconds) as timed_count,  -- Responses with a time.
    coalesce(sum(response_milliseconds), 0) / 1000 as response_sum_seconds,  -- Sum of the times of responses.
    avg(response_milliseconds) / 1000
        as response_avg_seconds,  -- Mean time of a response: response_sum_seconds / timed_count.
    quantile_cont(response_milliseconds, 0.5) / 1000
        as response_p50_seconds,  -- Median of the timed_count times of responses.
    quantile_cont(response_milliseconds, 0.9) / 1000
        as response_p90_seconds  -- Time that 90 % of the timed_count responses did not exceed.
from work
group by account_id, date, type, agent_id, is_bot
