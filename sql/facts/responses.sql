-- Each answer of an agent to a visitor, and how long the visitor had waited by then.
-- Grain:   one row per response: an agent line that follows a visitor line, control lines and private comments aside.
-- Counts:  response_number counts from 1; agent lines before the visitor's first are no response, further ones before
--          the visitor writes again belong to it. agent_id is who wrote it. segment_number and skill_id are those of
--          the segment in which the response falls, NULL where it falls in none; of several the later one.
--          former_agent_id and former_skill_id are of the response before, else of the agent's greeting: the visitor's
--          run answers that line. NULL where the visitor began, or where they are not known.
-- Units:   milliseconds from the first line of the visitor's run, and from the later of it and the segment's
--          assignment; visitor_response from the line that the visitor's run answers to that first line. NULL where an
--          end is missing or the time would be negative, while the response still counts.
-- Source:  timestamp and type of Message; response as in Analytics Builder's agent response time.

with turns as (
    select
        delivery_key,
        is_agent,
        case when agent_id not in ('', '0') then agent_id end as agent_id,
        row_number() over () as turn_number,
        delivery_key is distinct from lag(delivery_key) over () as is_first,
        lag(timestamp) over () as visitor_time,
        timestamp as response_time
    from spoken_lines
    where opens_turn
),

-- Every second turn is an answer: turn 2 of a conversation if the visitor began, turn 3 if the agent did, whose
-- greeting has the number 0.
answers as (
    select
        *,
        (
            turn_number + 1
            - max(case when is_first then turn_number end) over (rows between unbounded preceding and current row)
        ) // 2 as response_number
    from turns
    qualify is_agent
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
),

followed as (
    select
        *,
        lag(response_time) over conversation as former_time,
        lag(agent_id) over conversation as former_agent_id,
        lag(skill_id) over conversation as former_skill_id
    from placed
    window conversation as (partition by delivery_key order by response_number)
    qualify response_number > 0
)

select
    delivery_key,
    response_number,
    segment_number,
    skill_id,
    agent_id,
    visitor_time,
    response_time,
    case
        when response_time >= visitor_time then epoch_ms(response_time) - epoch_ms(visitor_time)
    end as response_milliseconds,
    case
        when response_time >= greatest(visitor_time, assigned_time)
            and visitor_time is not null
            and assigned_time is not null
            then epoch_ms(response_time) - epoch_ms(greatest(visitor_time, assigned_time))
    end as from_assignment_milliseconds,
    former_skill_id,
    former_agent_id,
    case
        when visitor_time >= former_time then epoch_ms(visitor_time) - epoch_ms(former_time)
    end as visitor_response_milliseconds
from followed
