-- The vendor has erased personal data of a conversation: a text of it reads `** LP deleted data **`. The lake may keep
-- an older copy of it, at least in its landing zone: lakehouse erase --conversation-id with each of these ids removes
-- all of it.
-- Returns: one row per conversation with such a text, with the number of those messages and their first and last time.

select
    account_id,
    conversation_id,
    date,
    count(*) as masked_message_count,
    min(timestamp) as first_time,
    max(timestamp) as last_time
from messages
where contains(text, '** LP deleted data **')
group by account_id, conversation_id, date
