-- Queue, segments and responses of each skill, day by day.
-- Grain:   one row per account_id, date (UTC), type, skill_id and is_bot with an entry, a segment or a response; those
--          without a skill are a group of their own. The day is that of entering the queue, of the assignment of a
--          segment, of a response's line.
-- Counts:  entries into the skill's own queue, at the start and by transfer, with their outcomes; the queue columns
--          look at the answered ones with a known wait. Segments and responses under the skill that they had, not under
--          the conversation's last one. Transfers between skills are in transfer_flow, scores in mcs_by_skill.
-- Units:   seconds; percentiles are interpolated (quantile_cont); shares from 0 to 1, NULL where the denominator is 0.
-- Source:  queue_entries, segments and responses.
-- Twins:   local_date, local_week, local_month

with work as (
    select
        account_id,
        date,
        type,
        skill_id,
        skill_name,
        skill_group,
        is_bot,
        outcome,
        case when outcome = 'answered' then wait_milliseconds end as queue_milliseconds,
        false as is_segment,
        null::bigint as engaged_milliseconds,
        null::bigint as first_response_milliseconds,
        null::boolean as has_visitor_line,
        null::boolean as has_agent_line,
        false as is_response,
        null::bigint as response_milliseconds
    from named_entries
    union all
    select
        account_id,
        date,
        type,
        skill_id,
        skill_name,
        skill_group,
        is_bot,
        null as outcome,
        null as queue_milliseconds,
        true as is_segment,
        engaged_milliseconds,
        first_response_milliseconds,
        visitor_line_count > 0 as has_visitor_line,
        agent_line_count > 0 as has_agent_line,
        false as is_response,
        null as response_milliseconds
    from named_segments
    union all
    select
        account_id,
        date,
        type,
        skill_id,
        skill_name,
        skill_group,
        is_bot,
        null as outcome,
        null as queue_milliseconds,
        false as is_segment,
        null as engaged_milliseconds,
        null as first_response_milliseconds,
        null as has_visitor_line,
        null as has_agent_line,
        true as is_response,
        response_milliseconds
    from named_responses
)

select
    account_id,
    date,  -- UTC day of entering a queue, of a segment's assignment, of a response's line.
    type,
    skill_id,  -- The skill; NULL: none.
    any_value(skill_name) as skill_name,  -- Name of the skill; NULL: it has none.
    any_value(skill_group) as skill_group,  -- Group of the skill; NULL: it has none.
    is_bot,  -- Work of bots, else of people: by agents.csv, else by skills.csv.
    count(outcome) as entry_count,  -- Entries into queues.
    count(*) filter (where outcome = 'answered') as answered_count,  -- Entries that an agent or a bot answered.
    count(*) filter (where outcome = 'abandoned') as abandoned_count,  -- Entries in which the visitor gave up.
    count(*) filter (where outcome = 'moved') as moved_count,  -- Entries that a transfer moved on.
    abandoned_count / nullif(abandoned_count + answered_count, 0)
        as abandoned_share,  -- abandoned_count / (abandoned_count + answered_count).
    count(queue_milliseconds) as queued_count,  -- Answered entries with a known wait.
    coalesce(sum(queue_milliseconds), 0) / 1000 as queue_sum_seconds,  -- Sum of the waits of answered entries.
    avg(queue_milliseconds) / 1000
        as queue_avg_seconds,  -- Mean wait of answered entries: queue_sum_seconds / queued_count.
    quantile_cont(queue_milliseconds, 0.5) / 1000
        as queue_p50_seconds,  -- Median wait of the queued_count answered entries.
    quantile_cont(queue_milliseconds, 0.9) / 1000
        as queue_p90_seconds,  -- Wait that 90 % of the queued_count answered entries did not exceed.
    count(*) filter (where is_segment) as segment_count,  -- Segments.
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
    count(*) filter (where has_visitor_line) as wrote_count,  -- Segments in which the visitor wrote.
    count(*) filter (where has_visitor_line and not has_agent_line)
        as non_responsive_count,  -- Segments in which the visitor wrote and no agent did.
    non_responsive_count / nullif(wrote_count, 0) as non_responsive_share,  -- non_responsive_count / wrote_count.
    count(*) filter (where is_response) as response_count,  -- Responses, timed or not.
    count(response_milliseconds) as timed_count,  -- Responses with a time.
    coalesce(sum(response_milliseconds), 0) / 1000 as response_sum_seconds,  -- Sum of the times of responses.
    avg(response_milliseconds) / 1000
        as response_avg_seconds  -- Mean time of a response: response_sum_seconds / timed_count.
from work
group by account_id, date, type, skill_id, is_bot
