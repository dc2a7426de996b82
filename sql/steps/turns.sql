-- Runs of lines by one side, which the other side then answers.
-- Grain:   one row per run of dialogue_lines by one side; position and timestamp are those of its first line.
-- Counts:  turn_number counts from 1 within the conversation; sides alternate. answered_time is the time of the first
--          line of the turn before, NULL for turn 1.
-- Units:   order is that of position; times are as sent, so the clock can run backwards.
-- Source:  timestamp and type of Message; response as in Analytics Builder.

with runs as (
    select
        account_id,
        conversation_id,
        date,
        position,
        timestamp,
        agent_id,
        is_agent
    from dialogue_lines
    qualify is_agent is distinct from lag(is_agent) over (
        partition by date, conversation_id, account_id
        order by position
    )
)

select
    account_id,
    conversation_id,
    date,
    position,
    timestamp,
    agent_id,
    is_agent,
    lag(timestamp) over transcript as answered_time,  -- First line of the turn before, by the other side.
    row_number() over transcript as turn_number  -- Place of the turn in the conversation, from 1.
from runs
window transcript as (partition by date, conversation_id, account_id order by position)
