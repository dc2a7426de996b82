-- A Meaningful Connection Score is not on the account's scale, mcs_scale: in mcs_daily as it was sent, in no bucket of
-- mcs_distribution, in no band. See mcs_scale for scores that look like those of another scale.
-- Returns: one row per conversation (position is NULL) and per message with such a score.

with scored as (
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
    scored.account_id,
    scored.conversation_id,
    scored.date,
    scored.position,
    scored.mcs
from scored
join account_rules as rules
    on rules.account_id is not distinct from rules_account(scored.account_id)
where
    not case rules.mcs_scale
        when 'class' then scored.mcs in (-1, 0, 1)
        when '-100-100' then scored.mcs between -100 and 100
        else scored.mcs between 0 and 100
    end
