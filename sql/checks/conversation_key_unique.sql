-- A conversation is in the table more than once and counts more than once in every measure. A load should have
-- replaced the earlier delivery: this is a fault of the lake, not of the source.
-- Returns: one row per account and conversation, with its rows, their dates and source files.

select
    account_id,
    conversation_id,
    count(*) as row_count,
    list(date order by date) as dates,
    list(source_file order by date, source_file) as source_files
from conversations
group by account_id, conversation_id
having count(*) > 1
