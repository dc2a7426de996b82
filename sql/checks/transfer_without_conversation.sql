-- Transfers belong to no conversation of the same account, id and date, so conversation_metrics does not count them.
-- Conversations and transfers are loaded together: this is a fault of the lake, not of the source.
-- Returns: one row per conversation key and source file that is missing in conversations, with its number of
--          transfers.

select
    transfers.account_id,
    transfers.conversation_id,
    transfers.date,
    transfers.source_file,
    count(*) as transfer_count
from transfers
anti join conversations
    on transfers.account_id is not distinct from conversations.account_id
    and transfers.conversation_id = conversations.conversation_id
    and transfers.date = conversations.date
group by transfers.account_id, transfers.conversation_id, transfers.date, transfers.source_file
