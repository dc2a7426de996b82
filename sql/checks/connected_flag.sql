-- A conversation was connected to an agent, yet its queue never ended: the vendor defines the end of the queue as the
-- moment of the connection. It counts as connected, without a queue time. The other way round is no contradiction:
-- some abandoned conversations carry the moment at which the visitor left the queue.
-- Returns: one row per conversation with a start of the interaction and no end of the queue.

select
    account_id,
    conversation_id,
    date,
    interaction_start_time,
    queue_end_time
from conversations
where
    interaction_start_time is not null
    and queue_end_time is null
