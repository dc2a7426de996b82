-- The two signs of a connection contradict each other: the start of the interaction and the end of the queue, which
-- the vendor defines as the moment of the connection. The measures follow the start of the interaction: a
-- conversation with it alone is connected without a queue time, one with a queue end alone is abandoned and waited
-- until then.
-- Returns: one row per conversation in which exactly one of the two is there.

select
    account_id,
    conversation_id,
    date,
    interaction_start_time,
    queue_end_time
from conversations
where (interaction_start_time is null) <> (queue_end_time is null)
