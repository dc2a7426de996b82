-- Lines of a transcript belong to no conversation of the same account, id and date, so no measure counts them.
-- Conversations and messages are loaded together: this is a fault of the lake, not of the source.
-- Returns: one row per conversation key and source file that is missing in conversations, with its number of
--          messages.

select
    messages.account_id,
    messages.conversation_id,
    messages.date,
    messages.source_file,
    count(*) as message_count
from messages
anti join conversations
    on messages.account_id is not distinct from conversations.account_id
    and messages.conversation_id = conversations.conversation_id
    and messages.date = conversations.date
group by messages.account_id, messages.conversation_id, messages.date, messages.source_file
