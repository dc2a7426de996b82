-- The shares of each skill in a week against those of the week before, with the interval of the difference.
-- Grain:   one row per account_id, local_week, type, skill_id, is_bot and measure of a week with cases, if the week
--          before has some, too; a missing skill is a group of its own.
-- Counts:  service_level: answered within service_level_seconds, of entries into the skill's queue that were answered
--          or abandoned, short abandons aside. abandoned: of entries that were answered or abandoned. mcs_negative: of
--          conversations with a score in a band, under their last skill. Bots are apart, is_bot as in
--          queue_by_skill_daily and mcs_by_skill_daily.
-- Units:   shares from 0 to 1, change the difference of the two. change_low and change_high are Newcombe's interval of
--          95 % (of Wilson's intervals); is_clear: 0 is outside of it; NULL is not judged. Of twenty differences that
--          are nothing but chance one is clear, so among many skills some are. Days are those of calendar_days.
-- Source:  ours, through queue_by_skill_weekly and mcs_by_skill_weekly.

with queues as materialized (
    select *
    from queue_by_skill_weekly
),

counted as (
    select
        account_id, local_week, type, skill_id, skill_name, is_bot, 'service_level' as measure,
        within_count as part_count, answered_count + abandoned_count - short_abandon_count as case_count,
        day_count, expected_day_count, is_provisional
    from queues
    union all
    select
        account_id, local_week, type, skill_id, skill_name, is_bot, 'abandoned', abandoned_count,
        answered_count + abandoned_count, day_count, expected_day_count, is_provisional
    from queues
    union all
    select
        account_id, local_week, type, skill_id, skill_name, is_bot, 'mcs_negative', negative_count, banded_count,
        day_count, expected_day_count, is_provisional
    from mcs_by_skill_weekly
),

-- 1.959964 is the normal distribution's bound of 95 %.
shares as materialized (
    select
        *,
        part_count / case_count as share,
        1 + 1.959964 * 1.959964 / case_count as divisor,
        (share + 1.959964 * 1.959964 / (2 * case_count)) / divisor as middle,
        1.959964
        * sqrt(share * (1 - share) / case_count + 1.959964 * 1.959964 / (4 * case_count * case_count)) / divisor
            as half_width,
        case when part_count > 0 then greatest(middle - half_width, 0) else 0 end as share_low,
        case when part_count < case_count then least(middle + half_width, 1) else 1 end as share_high
    from counted
    where case_count > 0
)

select
    one.account_id,  -- The LivePerson account.
    one.local_week,  -- Monday of the week on the account's clocks.
    one.type,  -- Kind of the conversations: LIVE_CHAT or MESSAGING.
    one.skill_id,  -- The skill; NULL: not known.
    one.skill_name,  -- Name of the skill; NULL: it has none.
    one.is_bot,  -- A bot's: by agents.csv, else by skills.csv.
    one.measure,  -- Name of the share.
    one.part_count,  -- Numerator of the share.
    one.case_count,  -- Denominator of the share.
    one.share,  -- part_count / case_count.
    former.part_count as former_part_count,  -- Numerator of the share of the period before.
    former.case_count as former_case_count,  -- Denominator of the share of the period before.
    former.share as former_share,  -- Share of the period before: former_part_count / former_case_count.
    one.share - former.share as change,  -- share - former_share.
    change - sqrt((one.share - one.share_low) ** 2 + (former.share_high - former.share) ** 2)
        as change_low,  -- Lower bound of Newcombe's interval of 95 %.
    change + sqrt((one.share_high - one.share) ** 2 + (former.share - former.share_low) ** 2)
        as change_high,  -- Upper bound of Newcombe's interval of 95 %.
    one.day_count,  -- Days whose data are there as a whole.
    one.expected_day_count,  -- Days of the period, those without data too.
    one.is_provisional,  -- Whether more conversations can still come.
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
    and one.skill_id is not distinct from former.skill_id
    and one.is_bot = former.is_bot
    and one.measure = former.measure
    and one.local_week - 7 = former.local_week
