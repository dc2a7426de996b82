-- Transcripts with the type of each line in words, and the name of its agent.
-- Grain:   one row per row of messages.
-- Counts:  all messages. type_label is NULL where the type is, and unknown where the type is not in the table
--          message_type.
-- Units:   codes and labels as the vendor's page lists them, in the table message_type.
-- Source:  type of Message. Content formats have no labels: the vendor's list and the vendor's own example do not
--          agree.

select
    messages.account_id,  -- The LivePerson account.
    messages.conversation_id,
    messages.date,
    messages.position,
    messages.timestamp,
    messages.sent_by,
    messages.type,
    case when messages.type is not null then coalesce(message_type.label, 'unknown') end
        as type_label,  -- The type in words.
    messages.agent_id,  -- Who wrote the line.
    agent.agent_name,  -- Name of the agent; NULL: it has none.
    messages.content_format,
    messages.text
from messages
left join message_type on messages.type = message_type.code
left join agent_names as agent
    on messages.account_id is not distinct from agent.account_id
    and messages.agent_id = agent.agent_id
