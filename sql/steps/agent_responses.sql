-- Each time an agent answered a visitor, and how long the visitor had waited by then.
-- Grain:   one row per response: an agent line whose predecessor in dialogue_lines is a visitor line.
-- Counts:  further agent lines before the visitor writes again belong to the same response; agent lines before the
--          first visitor line are no response. response_number counts from 1 within the conversation.
-- Units:   milliseconds (and seconds) from the first line of the visitor's run to the agent's line; order is that of
--          position, so the clock can run backwards: a negative time, or one with a missing end, is NULL while the
--          response still counts.
-- Source:  timestamp and type of Message, through turns; response as in Analytics Builder's agent response time.

select
    account_id,
    conversation_id,
    date,
    position,
    -- Every second turn is the agent's, from turn 2 on if the visitor began, from turn 3 on if the agent did.
    turn_number // 2 as response_number,  -- Place of the response in the conversation, from 1.
    agent_id,
    answered_time as visitor_time,  -- First line of the visitor's run.
    timestamp as response_time,  -- The agent's line.
    case
        when response_time >= visitor_time then epoch_ms(response_time) - epoch_ms(visitor_time)
    end as response_milliseconds,  -- response_time - visitor_time.
    response_milliseconds / 1000 as response_seconds  -- response_time - visitor_time.
from turns
where is_agent and turn_number > 1
