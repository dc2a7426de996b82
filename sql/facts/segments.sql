-- The parts of a conversation that one agent had: the connection opens one, and each transfer that an agent took.
-- Grain:   one row per segment.
-- Counts:  lines from the assignment on and before the segment's end, of the last one those after it, too; lines before
--          an assignment are nobody's. agent_nickname is on the last line of the segment's agent that has one.
--          bounce_count: earlier runs of segments with the same skill. Scores are those of visitor lines.
-- Units:   milliseconds; first_response from the assignment, first_response_from_opening from the connection or the
--          transfer, to the earliest agent line of the segment. NULL where an end is missing or it would be negative.
-- Source:  Conversation, Transfer and Message, through segment_bounds and spoken_lines.

with lines as (
    select
        segment.delivery_key,
        segment.segment_number,
        count(*) filter (where line.is_agent) as agent_line_count,
        count(*) filter (where not line.is_agent) as visitor_line_count,
        count(line.visitor_mcs) as scored_line_count,
        arg_min(line.visitor_mcs, line.position) as mcs_first,
        arg_max(line.visitor_mcs, line.position) as mcs_last,
        arg_max(line.sent_by, line.position)
            filter (where line.is_agent and line.agent_id = segment.agent_id and line.sent_by <> '') as agent_nickname,
        min(line.timestamp) filter (where line.is_agent) as first_response_time
    from segment_bounds as segment
    join spoken_lines as line
        on segment.delivery_key = line.delivery_key
        and line.timestamp >= segment.assigned_time
        and (segment.is_last or line.timestamp < segment.ended_time)
    group by segment.delivery_key, segment.segment_number
)

select
    segment.delivery_key,
    segment.segment_number,
    segment.is_last,
    segment.skill_id,
    segment.agent_id,
    lines.agent_nickname,
    segment.opened_time,
    segment.assigned_time,
    segment.ended_time,
    case
        when segment.ended_time >= segment.assigned_time
            then epoch_ms(segment.ended_time) - epoch_ms(segment.assigned_time)
    end as engaged_milliseconds,
    coalesce(lines.agent_line_count, 0) as agent_line_count,
    coalesce(lines.visitor_line_count, 0) as visitor_line_count,
    epoch_ms(lines.first_response_time) - epoch_ms(segment.assigned_time) as first_response_milliseconds,
    case
        when lines.first_response_time >= segment.opened_time
            then epoch_ms(lines.first_response_time) - epoch_ms(segment.opened_time)
    end as first_response_from_opening_milliseconds,
    segment.bounce_count,
    coalesce(lines.scored_line_count, 0) as scored_line_count,
    lines.mcs_first,
    lines.mcs_last
from segment_bounds as segment
left join lines
    on segment.delivery_key = lines.delivery_key
    and segment.segment_number = lines.segment_number
