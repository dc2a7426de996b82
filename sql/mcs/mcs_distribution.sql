-- Distribution of the Meaningful Connection Scores of conversations.
-- Grain:   one row per account_id, date (UTC, of the conversation's start) and bucket that has a conversation.
-- Counts:  conversations with a score from 0 to 100. A score outside is in no bucket; sql/checks/mcs_range.sql lists
--          it.
-- Units:   bucket is the lower bound of ten points: 0 up to but not including 10, and so on; 90 includes 100.
-- Source:  mcs of Conversation.

select
    account_id,
    date,
    least(floor(mcs)::integer // 10 * 10, 90) as bucket,  -- Lower bound of ten points; 90 includes 100.
    count(*) as conversation_count  -- Conversations.
from conversations
where mcs between 0 and 100
group by account_id, date, bucket
