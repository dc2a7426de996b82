-- Two lines of a transcript claim the same place, so the order of the lines, and with it every response time, is
-- open. A load should have replaced the earlier delivery: this is a fault of the lake, not of the source.
-- Returns: one row per place that is taken more than once, with its rows and source files.

select
    account_id,
    conversation_id,
    date,
    position,
    count(*) as row_count,
    list(source_file order by source_file) as source_files
from messages
group by account_id, conversation_id, date, position
having count(*) > 1
