-- A visitor left a queue before entering it, so the wait is NULL in queue_entries: it is in no mean, no percentile and
-- not within the service level. The source sent the times like this: ask the vendor if there are many.
-- Returns: one row per entry into a queue, with how far the end is before the start.

select
    account_id,
    conversation_id,
    date,
    entry_number,
    entered_time,
    left_time,
    outcome,
    (epoch_ms(entered_time) - epoch_ms(left_time)) / 1000 as too_early_seconds
from queue_entries
where left_time < entered_time
