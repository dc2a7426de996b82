-- The parts of each conversation: the agent, the length, and the time to the agent's first line.
-- Grain:   one row per row of segment_parts.
-- Counts:  agent_line_count: agent lines with a time from the segment's start on and before its end; of the last one
--          those after the conversation's end, too. bounce_count: earlier segments of the conversation with the same
--          skill.
-- Units:   seconds. segment_seconds: from the connection or the transfer on; engaged_seconds: from the assignment of
--          the agent on; first_response_seconds: from the start of the segment, so a wait after a transfer counts.
--          NULL where an end is missing or the time would be negative.
-- Source:  segment as in Report Center; responses after a transfer are counted from the transfer as in Analytics
--          Builder.

with lines as (
    select
        account_id,
        conversation_id,
        date,
        list(timestamp) as times
    from dialogue_lines
    where is_agent
    group by account_id, conversation_id, date
),

parts as (
    select
        segment_parts.*,
        list_filter(
            lines.times,
            lambda said: said >= segment_parts.segment_start_time
            and (segment_parts.is_last or said < segment_parts.segment_end_time)
        ) as agent_times
    from segment_parts
    left join lines
        on segment_parts.account_id is not distinct from lines.account_id
        and segment_parts.conversation_id = lines.conversation_id
        and segment_parts.date = lines.date
)

select
    account_id,
    conversation_id,  -- The conversation.
    date,
    segment_number,
    agent_id,  -- The agent of the segment; NULL: not taken.
    skill_id,
    segment_start_time,
    segment_end_time,
    segment_milliseconds / 1000 as segment_seconds,  -- From start to end of the segment.
    engaged_milliseconds / 1000 as engaged_seconds,  -- From the agent's assignment to the segment's end.
    coalesce(len(agent_times), 0) as agent_line_count,  -- Lines by agents in the segment.
    (epoch_ms(list_min(agent_times)) - epoch_ms(segment_start_time)) / 1000
        as first_response_seconds,  -- Time from the segment's start to its first agent line.
    bounce_count
from parts
