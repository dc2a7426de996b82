-- Transfers with their kind and the visitor's wait in a queue.
-- Grain:   one row per row of transfers.
-- Counts:  all transfers. transfer_kind: agent where there is a target agent, skill where the target skill is another
--          one, queue where it went back to the queue of the same skill, NULL where it has no target at all.
-- Units:   milliseconds from entering to leaving the queue of the transfer; NULL where an end is missing or the time
--          would be negative (sql/checks/transfer_time_order.sql lists those).
-- Source:  Transfer; kinds as in Analytics Builder.

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
        when target_agent_id is not null then 'agent'
        when target_skill_id is distinct from skill_id and target_skill_id is not null then 'skill'
        when target_skill_id is not null then 'queue'
    end as transfer_kind,  -- agent, skill, queue, or NULL without a target.
    case
        when queue_end_time >= queue_start_time then epoch_ms(queue_end_time) - epoch_ms(queue_start_time)
    end as queue_milliseconds  -- Wait in the queue of the transfer.
from transfers
