-- Each time an agent answered a visitor, with the skill of the conversation.
-- Grain:   one row per row of agent_responses whose conversation is there.
-- Counts:  responses as in agent_responses. skill_id is that of the conversation, its last one; NULL where it has none.
-- Units:   milliseconds as in agent_responses; date is the conversation's.
-- Source:  skillId of Conversation, through conversation_times and agent_responses.

select
    response.account_id,
    response.conversation_id,  -- The conversation.
    response.date,
    response.position,
    conversation.skill_id,
    response.agent_id,  -- The agent who wrote the response.
    response.response_number,
    response.response_milliseconds
from agent_responses as response
join conversation_times as conversation
    on response.account_id is not distinct from conversation.account_id
    and response.conversation_id = conversation.conversation_id
    and response.date = conversation.date
