-- Segments of agents, cut at midnight UTC: the time for which an agent had a conversation on a day.
-- Grain:   one row per segment with an agent and a length above 0, and UTC day that it touches.
-- Counts:  is_assigned: the part in which the agent got the conversation; only that has first_response_milliseconds.
--          The SQL gives each segment the days from the assignment to the end, and cuts it at their midnights.
-- Units:   milliseconds since 1970; a part ends where the next begins.
-- Source:  ours; named_segments.

with spans as (
    select
        account_id,
        type,
        agent_id,
        is_bot,
        epoch_ms(assigned_time) as assigned_milliseconds,
        epoch_ms(ended_time) as ended_milliseconds,
        first_response_milliseconds,
        -- Ten years bound the work for an end that is an error.
        unnest(
            range(
                assigned_milliseconds // 86_400_000,
                least((ended_milliseconds - 1) // 86_400_000 + 1, assigned_milliseconds // 86_400_000 + 3_653)
            )
        ) as day_number
    from named_segments
    where agent_id is not null and engaged_milliseconds > 0
)

select
    account_id,
    type,
    agent_id,
    is_bot,
    make_timestamp(day_number * 86_400_000_000)::date as date,  -- UTC day of the part.
    greatest(assigned_milliseconds, day_number * 86_400_000) as from_milliseconds,  -- Start of the part.
    least(ended_milliseconds, (day_number + 1) * 86_400_000) as until_milliseconds,  -- End of the part.
    assigned_milliseconds >= day_number * 86_400_000 as is_assigned,  -- The agent got the conversation in this part.
    case when is_assigned then first_response_milliseconds end
        as first_response_milliseconds
from spans
