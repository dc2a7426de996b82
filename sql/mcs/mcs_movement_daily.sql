-- Conversations whose Meaningful Connection Score rose or fell, day by day.
-- Grain:   one row per account_id and date (UTC, of the conversation's start) with a conversation of two scores or
--          more.
-- Counts:  conversations with at least two scored messages, moved_count of them; risen, fallen and level add up to it.
-- Units:   points of the source's scale; shares of moved_count from 0 to 1; the percentile is interpolated.
-- Source:  mcs of Message, through mcs_movement. Ours.

select
    account_id,
    date,
    count(*) as moved_count,  -- Conversations with two scored messages at least.
    -- Added up in order, so that the last digit does not depend on how threads share the rows.
    avg(mcs_change order by mcs_change) as mcs_change_avg,  -- Mean of last score less first.
    quantile_cont(mcs_change, 0.5) as mcs_change_p50,  -- Median of last score less first.
    count(*) filter (where mcs_change > 0) as risen_count,  -- Those whose last score is higher than the first.
    risen_count / count(*) as risen_share,  -- risen_count / moved_count.
    count(*) filter (where mcs_change < 0) as fallen_count,  -- Those whose last score is lower.
    fallen_count / count(*) as fallen_share,  -- fallen_count / moved_count.
    count(*) filter (where mcs_change = 0) as level_count,  -- Those whose last score is the same.
    level_count / count(*) as level_share  -- level_count / moved_count.
from mcs_movement
where scored_count > 1
group by account_id, date
