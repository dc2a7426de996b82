-- Each answer of an agent to a visitor, and how long the visitor had waited by then.
-- Grain:   one row per response: an agent line that follows a visitor line, control lines and private comments aside.
-- Counts:  response_number counts from 1; agent lines before the visitor's first are no response, further ones before
--          the visitor writes again belong to it. agent_id is who wrote it. segment_number and skill_id are those of the
--          segment in which the response falls, NULL where it falls in none; of several the later one.
-- Units:   milliseconds from the first line of the visitor's run, and from the later of it and the segment's
--          assignment; NULL where an end is missing or the time would be negative, while the response still counts.
-- Source:  timestamp and type of Message; response as in Analytics Builder's agent response time.

with turns as (
    select
        *,
        row_number() over conversation as turn_number,
        lag(timestamp) over conversation as visitor_time
    from spoken_lines
    where opens_turn
    window conversation as (partition by delivery_key order by position)
),

-- Every second turn is the agent's, from turn 2 on if the visitor began, from turn 3 on if the agent did.
answers as (
    select
        delivery_key,
        turn_number // 2 as response_number,
        agent_id,
        visitor_time,
        timestamp as response_time
    from turns
    where is_agent and turn_number > 1
),

placed as (
    select
        answer.*,
        segment.segment_number,
        segment.skill_id,
        segment.assigned_time
    from answers as answer
    left join segment_bounds as segment
        on answer.delivery_key = segment.delivery_key
        and answer.response_time >= segment.assigned_time
        and (segment.is_last or answer.response_time < segment.ended_time)
    qualify lead(segment.segment_number) over (
        partition by answer.delivery_key, answer.response_number
        order by segment.segment_number
    ) is null
)

select
    conversation.account_id,
    conversation.conversation_id,
    conversation.date,
    conversation.type,
    conversation.campaign_id,
    conversation.source_origin,
    conversation.source_device,
    placed.response_number,
    placed.segment_number,
    placed.skill_id,
    placed.agent_id,
    placed.visitor_time,
    placed.response_time,
    case
        when placed.response_time >= placed.visitor_time
            then epoch_ms(placed.response_time) - epoch_ms(placed.visitor_time)
    end as response_milliseconds,
    case
        when placed.response_time >= greatest(placed.visitor_time, placed.assigned_time)
            and placed.visitor_time is not null
            and placed.assigned_time is not null
            then epoch_ms(placed.response_time) - epoch_ms(greatest(placed.visitor_time, placed.assigned_time))
    end as from_assignment_milliseconds,
    conversation.source_file,
    conversation.delivery,
    conversation.delivery_key
from placed
join conversations as conversation on placed.delivery_key = conversation.delivery_key
