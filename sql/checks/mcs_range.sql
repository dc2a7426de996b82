-- A Meaningful Connection Score is outside the scale of its account, mcs_scale in settings.csv: in mcs_daily as it was
-- sent, in no bucket of mcs_distribution.
-- Returns: one row per conversation (position is NULL) and per message with such a score.

with scores as (
    select
        account_id,
        conversation_id,
        date,
        null::integer as position,
        mcs
    from conversations
    where mcs is not null
    union all
    select
        account_id,
        conversation_id,
        date,
        position,
        mcs
    from messages
    where mcs is not null
)

select
    scores.account_id,
    scores.conversation_id,
    scores.date,
    scores.position,
    rules.mcs_scale,
    scores.mcs
from scores
join account_rules as rules
    on rules.account_id is not distinct from rules_account(scores.account_id)
where
    case rules.mcs_scale
        when '0-100' then scores.mcs not between 0 and 100
        when '-100-100' then scores.mcs not between -100 and 100
        else scores.mcs not in (-1, 0, 1)
    end
