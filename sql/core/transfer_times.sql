-- How long each transfer kept the visitor in a queue again.
-- Grain:   one row per row of transfers.
-- Counts:  all transfers.
-- Units:   milliseconds from entering to leaving the queue of the transfer; NULL where an end is missing or the time
--          would be negative (sql/checks/transfer_time_order.sql lists those).
-- Source:  queueStartTime and queueEndTime of Transfer.

select
    account_id,
    conversation_id,
    date,
    position,
    timestamp,
    skill_id,
    target_skill_id,
    agent_id,
    target_agent_id,
    case
        when queue_end_time >= queue_start_time then epoch_ms(queue_end_time) - epoch_ms(queue_start_time)
    end as queue_milliseconds
from transfers
