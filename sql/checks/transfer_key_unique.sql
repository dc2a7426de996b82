-- Two transfers of a conversation claim the same place and both count. A load should have replaced the earlier
-- delivery: this is a fault of the lake, not of the source.
-- Returns: one row per place that is taken more than once, with its rows and source files.

select
    account_id,
    conversation_id,
    date,
    position,
    count(*) as row_count,
    list(source_file order by source_file) as source_files
from transfers
group by account_id, conversation_id, date, position
having count(*) > 1
