-- As topic_conversations, with the day, week and month of the conversation's start on the account's clocks.
-- Grain:   one row per interactive conversation and topic of it.
-- Counts:  all of them.
-- Units:   as in local_named_conversations.
-- Source:  ours; topic_conversations and local_named_conversations.

select
    found.account_id,  -- The LivePerson account.
    found.conversation_id,  -- The conversation.
    found.date,
    found.type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    found.topic,
    conversation.local_date,
    conversation.local_week,
    conversation.local_month
from topic_conversations as found
join local_named_conversations as conversation
    on found.account_id is not distinct from conversation.account_id
    and found.conversation_id = conversation.conversation_id
    and found.date = conversation.date
