-- The Meaningful Connection Scores of an account look as if they were of another scale than mcs_scale in settings.csv
-- says: all are -1, 0 or 1 (of ten or more, or one below 0), or some are below 0, or some beyond -1 to 1.
-- Returns: one row per account with such scores, and the scale that they look like.

with scored as (
    select
        account_id,
        count(*) as scored_count,
        min(mcs) as mcs_min,
        max(mcs) as mcs_max,
        count(*) filter (where mcs not in (-1, 0, 1)) as other_count,
        case
            when other_count = 0 and (scored_count >= 10 or mcs_min < 0) then 'class'
            when other_count = 0 then null
            when mcs_min < 0 then '-100-100'
            else '0-100'
        end as looks_like
    from conversations
    where mcs is not null
    group by account_id
)

select
    scored.account_id,
    rules.mcs_scale,
    scored.looks_like,
    scored.scored_count,
    scored.mcs_min,
    scored.mcs_max
from scored
join account_rules as rules
    on rules.account_id is not distinct from rules_account(scored.account_id)
where
    scored.looks_like <> rules.mcs_scale
    and not (rules.mcs_scale = '-100-100' and scored.looks_like = '0-100')
