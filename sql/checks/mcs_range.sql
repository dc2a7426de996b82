-- A Meaningful Connection Score is outside 0 to 100: in mcs_daily as it was sent, in no bucket of mcs_distribution.
-- If it is -1, 0 or 1 throughout, the account sends the score's class, and the averages mean something else.
-- Returns: one row per conversation (position is NULL) and per message with such a score.

select
    account_id,
    conversation_id,
    date,
    null::integer as position,
    mcs
from conversations
where mcs not between 0 and 100
union all
select
    account_id,
    conversation_id,
    date,
    position,
    mcs
from messages
where mcs not between 0 and 100
