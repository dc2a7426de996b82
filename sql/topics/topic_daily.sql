-- Share of interactive conversations in which the visitor wrote about each topic.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type and topic of the account, on days with
--          an interactive conversation; none without topics.csv in the lake.
-- Counts:  interactive conversations, interactive_conversation_count of them; topic_count: a visitor's line matches the
--          pattern. A conversation may have several topics, or none. Lines to bots count as those to people do.
-- Units:   shares of interactive_conversation_count from 0 to 1. Reads the transcripts: ask for a few days.
-- Source:  text of Message, and topics.csv in the lake. Ours.
-- Twins:   local_date, local_week, local_month

with interactive as (
    select account_id, date, type, count(*) as interactive_conversation_count
    from named_conversations
    where was_interactive
    group by account_id, date, type
),

found as (
    select account_id, date, type, topic, count(*) as topic_count
    from topic_conversations
    group by account_id, date, type, topic
)

select
    interactive.account_id,  -- The LivePerson account.
    interactive.date,
    interactive.type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    topics.name as topic,  -- Name of the topic.
    interactive.interactive_conversation_count,  -- Interactive conversations.
    coalesce(found.topic_count, 0)
        as topic_count,  -- Interactive conversations in which a line of the visitor matches the topic's pattern.
    coalesce(found.topic_count, 0) / interactive.interactive_conversation_count
        as topic_share  -- topic_count / interactive_conversation_count.
from interactive
join topics on coalesce(topics.account_id = interactive.account_id, topics.account_id is null)
left join found
    on interactive.account_id is not distinct from found.account_id
    and interactive.date = found.date
    and interactive.type is not distinct from found.type
    and topics.name = found.topic
group by
    interactive.account_id,
    interactive.date,
    interactive.type,
    interactive.interactive_conversation_count,
    topics.name,
    found.topic_count
