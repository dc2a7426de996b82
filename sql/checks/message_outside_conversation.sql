-- A line of a transcript was written more than tolerance_seconds before its conversation began or after it ended. It
-- counts in every measure; a response timed from it may be longer than the conversation.
-- Returns: one row per line, with how far it is outside.

select
    messages.account_id,
    messages.conversation_id,
    messages.date,
    messages.position,
    messages.type,
    messages.timestamp,
    conversations.conversation_start_time,
    conversations.conversation_end_time,
    greatest(
        epoch_ms(conversations.conversation_start_time) - epoch_ms(messages.timestamp),
        epoch_ms(messages.timestamp) - epoch_ms(conversations.conversation_end_time)
    ) / 1000 as outside_seconds
from messages
join conversations
    on messages.account_id is not distinct from conversations.account_id
    and messages.conversation_id = conversations.conversation_id
    and messages.date = conversations.date
join account_rules as rules
    on rules.account_id is not distinct from rules_account(messages.account_id)
where outside_seconds > rules.tolerance_seconds
