-- The shares of each week against those of the week before, with the interval of the difference.
-- Grain:   one row per account_id, local_week, type and measure of a week with cases, if the week before has some, too.
-- Counts:  as in shares_weekly: people and bots apart.
-- Units:   shares from 0 to 1, change the difference of the two. change_low and change_high are Newcombe's interval of
--          95 % (of Wilson's intervals); is_clear: 0 is outside of it; NULL is not judged. Of twenty differences that
--          are nothing but chance one is clear. Days are those of calendar_days.
-- Source:  ours, through shares_weekly.

with shares as materialized (
    select *
    from shares_weekly
)

select
    one.account_id,  -- The LivePerson account.
    one.local_week,
    one.type,  -- Kind of the conversations: LIVE_CHAT or MESSAGING.
    one.measure,
    one.part_count,
    one.case_count,
    one.share,
    former.part_count as former_part_count,  -- Numerator of the share of the period before.
    former.case_count as former_case_count,  -- Denominator of the share of the period before.
    former.share as former_share,  -- Share of the period before: former_part_count / former_case_count.
    one.share - former.share as change,  -- share - former_share.
    change - sqrt((one.share - one.share_low) ** 2 + (former.share_high - former.share) ** 2)
        as change_low,  -- Lower bound of Newcombe's interval of 95 %.
    change + sqrt((one.share_high - one.share) ** 2 + (former.share - former.share_low) ** 2)
        as change_high,  -- Upper bound of Newcombe's interval of 95 %.
    one.day_count,
    one.expected_day_count,
    one.is_provisional,
    former.day_count as former_day_count,  -- Days of the period before whose data are there as a whole.
    former.expected_day_count as former_expected_day_count,  -- Days of the period before.
    former.is_provisional as former_is_provisional,  -- More conversations of the period before can still come.
    case
        when one.day_count = one.expected_day_count
            and former.day_count = former.expected_day_count
            and not one.is_provisional
            and not former.is_provisional
            then change_low > 0 or change_high < 0
    end as is_clear  -- The interval leaves out 0; NULL while one of both periods is not whole, or provisional.
from shares as one
join shares as former
    on one.account_id is not distinct from former.account_id
    and one.type is not distinct from former.type
    and one.measure = former.measure
    and one.local_week - 7 = former.local_week
