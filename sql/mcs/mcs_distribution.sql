-- Distribution of the Meaningful Connection Scores of conversations.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type and bucket that has a conversation.
-- Counts:  conversations with a score on the account's scale. A score outside is in no bucket; sql/checks/mcs_range.sql
--          lists it. conversation_count is people_conversation_count and bot_conversation_count together.
-- Units:   bucket is the lower bound of ten points: 0 up to but not including 10, and so on; 90 includes 100. On the
--          scale -100-100 the buckets begin with -100; on the scale class a bucket is a class, -1, 0 or 1.
-- Source:  mcs of Conversation; the setting mcs_scale.
-- Twins:   local_date, local_week, local_month

select
    account_id,
    date,
    type,
    mcs_bucket as bucket,  -- Lower bound of ten points, 90 includes 100; of a class the class.
    count(*) as conversation_count,  -- Conversations.
    count(*) filter (where not is_bot)
        as people_conversation_count,  -- Conversations that a person had last.
    count(*) filter (where is_bot)
        as bot_conversation_count  -- Conversations that a bot had last.
from named_conversations
where mcs_bucket is not null
group by account_id, date, type, bucket
