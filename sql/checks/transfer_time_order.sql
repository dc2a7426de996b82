-- A transfer left its queue before entering it, so its wait is not part of transfer_queue_seconds.
-- Returns: one row per transfer, with how far the end is before the start.

select
    account_id,
    conversation_id,
    date,
    position,
    queue_start_time,
    queue_end_time,
    (epoch_ms(queue_start_time) - epoch_ms(queue_end_time)) / 1000 as too_early_seconds
from transfers
where queue_end_time < queue_start_time
