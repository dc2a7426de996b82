-- A conversation ended more than tolerance_seconds after the hour of the file that brought it. A file holds what had
-- closed by then, so a time of the conversation is wrong, perhaps one in the future: it is the newest row of every
-- measure by day.
-- Returns: one row per conversation, with its file.

select
    conversations.account_id,
    conversations.conversation_id,
    conversations.date,
    conversations.conversation_start_time,
    conversations.conversation_end_time,
    conversations.source_file,
    files.scope_end_time
from conversations
join files
    on conversations.account_id is not distinct from files.account_id
    and conversations.source_file = files.name
join account_rules as rules
    on rules.account_id is not distinct from rules_account(conversations.account_id)
where
    epoch_ms(greatest(conversations.conversation_start_time, conversations.conversation_end_time))
    > epoch_ms(files.scope_end_time) + rules.tolerance_seconds * 1000
