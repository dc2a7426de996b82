-- Conversations in which the Meaningful Connection Score of the visitor's lines rose or fell, day by day.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type and is_bot with a conversation of two
--          scored visitor lines or more.
-- Counts:  conversations with at least two scored visitor lines, movement_count of them; risen, fallen and level add up
--          to it. is_bot: a bot had the conversation last. All lines count, those to a bot before a person, too;
--          mcs_movement_by_agent_daily looks at each part by itself.
-- Units:   points of the source's scale; shares of movement_count from 0 to 1; the percentile is interpolated.
-- Source:  mcs of Message, through conversation_metrics. Ours.
-- Twins:   local_date, local_week, local_month

select
    account_id,
    date,
    type,
    is_bot,
    count(*) as movement_count,  -- Conversations with two scored visitor lines at least.
    -- Added up as decimals, so that the last digit does not depend on how threads share the rows.
    sum(try_cast(mcs_change as decimal(38, 12)))::double
        as mcs_change_sum,  -- Sum of the differences of last and first score.
    mcs_change_sum / count(*)
        as mcs_change_avg,  -- Mean difference of last and first score: mcs_change_sum / movement_count.
    quantile_cont(mcs_change, 0.5)
        as mcs_change_p50,  -- Median of the movement_count differences of last and first score.
    count(*) filter (where mcs_change > 0) as risen_count,  -- Conversations whose last score is higher than the first.
    risen_count / count(*) as risen_share,  -- risen_count / movement_count.
    count(*) filter (where mcs_change < 0) as fallen_count,  -- Conversations whose last score is lower than the first.
    fallen_count / count(*) as fallen_share,  -- fallen_count / movement_count.
    count(*) filter (where mcs_change = 0) as level_count,  -- Conversations whose last score equals the first.
    level_count / count(*) as level_share  -- level_count / movement_count.
from named_conversations
where scored_line_count > 1
group by account_id, date, type, is_bot
