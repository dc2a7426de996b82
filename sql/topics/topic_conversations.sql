-- Interactive conversations and the topics that their visitors wrote about.
-- Grain:   one row per interactive conversation and topic of it; none without topics.csv in the lake.
-- Counts:  interactive by the source's flag, of the conversation or of one of its transfers. A topic is one of the
--          conversation if a visitor's line (type 0) matches its pattern, a regular expression of RE2; case does not
--          matter.
-- Units:   none; the day is that of the conversation's start. Reads the transcripts: ask for a few days.
-- Source:  text of Message, and topics.csv in the lake. Ours.

with named as (
    select
        account_id,
        conversation_id,
        date,
        unnest(topics_in(account_id, text)) as topic
    from messages
    where type = '0' and text is not null
)

select
    conversation.account_id,  -- The LivePerson account.
    conversation.conversation_id,  -- The conversation.
    conversation.date,
    conversation.type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    named.topic  -- Name of the topic.
from named
join conversation_metrics as conversation
    on named.account_id is not distinct from conversation.account_id
    and named.conversation_id = conversation.conversation_id
    and named.date = conversation.date
where conversation.was_interactive
group by conversation.account_id, conversation.conversation_id, conversation.date, conversation.type, named.topic
