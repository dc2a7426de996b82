-- How much agents and visitors write, people and bots apart.
-- Grain:   one row per account_id, date (UTC, of the assignment), type and is_bot with a segment.
-- Counts:  segments: what one agent had of a conversation; is_bot: by agents.csv, else by skills.csv. Lines
--          of a segment as in segments: those before an assignment, control lines and private comments are none.
-- Units:   counts; talk_ratio is agent lines for each visitor line, NULL where visitors wrote none.
-- Source:  message counts as in Analytics Builder; the ratio is ours; segments.
-- Twins:   local_date, local_week, local_month

select
    account_id,
    date,
    type,
    is_bot,
    count(*) as segment_count,  -- Segments.
    sum(agent_line_count)::bigint as agent_line_count,  -- Lines by agents in the segments.
    sum(visitor_line_count)::bigint as visitor_line_count,  -- Lines by visitors in the segments.
    sum(agent_line_count) / nullif(sum(visitor_line_count), 0) as talk_ratio,  -- agent_line_count / visitor_line_count.
    count(*) filter (where agent_line_count > 0 and visitor_line_count > 0)
        as two_way_count,  -- Segments in which both sides wrote.
    count(*) filter (where visitor_line_count > 0 and agent_line_count = 0)
        as non_responsive_count,  -- Segments in which the visitor wrote and no agent did.
    count(*) filter (where visitor_line_count = 0) as silent_count  -- Segments in which the visitor wrote nothing.
from named_segments
group by account_id, date, type, is_bot
