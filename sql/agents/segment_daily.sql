-- Segments of each agent and skill: how long, how soon answered, how many without an answer.
-- Grain:   one row per account_id, date (UTC, of the assignment), type, agent_id, skill_id and is_bot with a segment; a
--          missing agent or skill is a group of its own.
-- Counts:  segments as in the table segments: what one agent had of a conversation, under its own skill. wrote_count:
--          the visitor wrote during the segment; non_responsive_count: so it was, and no agent wrote.
-- Units:   seconds; engaged from the assignment to the end; first_response from the assignment,
--          first_response_from_opening from the connection or transfer, so a wait in between counts. Percentiles are
--          interpolated (quantile_cont); shares from 0 to 1, NULL where the denominator is 0.
-- Source:  segment as in Report Center, non-responsive agent as in Analytics Builder.
-- Twins:   local_date, local_week, local_month

select
    account_id,
    date,
    type,
    agent_id,
    any_value(agent_name) as agent_name,
    skill_id,
    any_value(skill_name) as skill_name,
    is_bot,
    count(*) as segment_count,  -- Segments.
    count(*) filter (where is_last) as last_count,  -- Segments that were the last of their conversation.
    count(engaged_milliseconds) as engaged_count,  -- Segments with a known length.
    coalesce(sum(engaged_milliseconds), 0) / 1000
        as engaged_sum_seconds,  -- Sum of the times from assignment to end, two at a time counted twice.
    avg(engaged_milliseconds) / 1000
        as engaged_avg_seconds,  -- Mean time from assignment to end: engaged_sum_seconds / engaged_count.
    quantile_cont(engaged_milliseconds, 0.5) / 1000
        as engaged_p50_seconds,  -- Median of the engaged_count times from assignment to end.
    quantile_cont(engaged_milliseconds, 0.9) / 1000
        as engaged_p90_seconds,  -- Time from assignment to end that 90 % of engaged_count did not exceed.
    count(first_response_milliseconds)
        as first_response_count,  -- Segments with a known time from assignment to the first agent line.
    coalesce(sum(first_response_milliseconds), 0) / 1000
        as first_response_sum_seconds,  -- Sum of the times from assignment to the first agent line.
    avg(first_response_milliseconds) / 1000
        as first_response_avg_seconds,  -- first_response_sum_seconds / first_response_count.
    quantile_cont(first_response_milliseconds, 0.5) / 1000
        as first_response_p50_seconds,  -- Median of the first_response_count times from assignment to the first agent
                                        -- line.
    quantile_cont(first_response_milliseconds, 0.9) / 1000
        as first_response_p90_seconds,  -- Time to the first agent line that 90 % of first_response_count did not
                                        -- exceed.
    count(first_response_from_opening_milliseconds)
        as first_response_from_opening_count,  -- Segments with a known time from connection or transfer to the first
                                               -- agent line.
    coalesce(sum(first_response_from_opening_milliseconds), 0) / 1000
        as first_response_from_opening_sum_seconds,  -- Sum of the times from connection or transfer to the first agent
                                                     -- line.
    avg(first_response_from_opening_milliseconds) / 1000
        as first_response_from_opening_avg_seconds,  -- Mean of first_response_from_opening_count times to the first
                                                     -- agent line.
    quantile_cont(first_response_from_opening_milliseconds, 0.5) / 1000
        as first_response_from_opening_p50_seconds,  -- Median of the first_response_from_opening_count times.
    quantile_cont(first_response_from_opening_milliseconds, 0.9) / 1000
        as first_response_from_opening_p90_seconds,  -- Time that 90 % of first_response_from_opening_count kept.
    count(*) filter (where visitor_line_count > 0) as wrote_count,  -- Segments in which the visitor wrote.
    count(*) filter (where visitor_line_count > 0 and agent_line_count = 0)
        as non_responsive_count,  -- Segments in which the visitor wrote and no agent did.
    non_responsive_count / nullif(wrote_count, 0) as non_responsive_share,  -- non_responsive_count / wrote_count.
    count(*) filter (where bounce_count > 0)
        as bounced_count,  -- Segments in which the conversation was back at a skill that it had left.
    bounced_count / count(*) as bounced_share,  -- bounced_count / segment_count.
    sum(agent_line_count)::bigint as agent_line_count,  -- Lines by agents in the segments.
    sum(visitor_line_count)::bigint as visitor_line_count,  -- Lines by visitors in the segments.
    sum(agent_line_count) / nullif(sum(visitor_line_count), 0) as talk_ratio  -- agent_line_count / visitor_line_count.
from named_segments
group by account_id, date, type, agent_id, skill_id, is_bot
