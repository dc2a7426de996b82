-- A transfer names neither a skill nor an agent to which it went: it counts as a transfer, and is of no kind in
-- transfer_daily and agent_transfer_daily.
-- Returns: one row per transfer.

select
    account_id,
    conversation_id,
    date,
    position,
    timestamp,
    skill_id,
    agent_id
from named_transfers
where transfer_kind is null
