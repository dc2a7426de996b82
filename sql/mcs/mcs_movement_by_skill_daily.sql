-- Change of the Meaningful Connection Score of the visitor's lines while each skill had the conversation.
-- Grain:   one row per account_id, date (UTC, of the assignment), skill_id and is_bot (of the segment) and type with a
--          segment of two scored visitor lines or more.
-- Counts:  segments with at least two scored visitor lines, segment_movement_count of them; risen, fallen and level add
--          up to it. A segment is a bot's if its agent or its skill is one.
-- Units:   points of the source's scale; shares of segment_movement_count from 0 to 1; the percentile is interpolated.
-- Source:  mcs of Message, through segments. Ours.
-- Twins:   local_date, local_week, local_month, all_dates

select
    account_id,
    date,
    skill_id,
    any_value(skill_name) as skill_name,
    is_bot,
    type,
    count(*) as segment_movement_count,  -- Segments with two scored visitor lines at least.
    -- Added up as decimals, so that the last digit does not depend on how threads share the rows.
    sum(try_cast(mcs_change as decimal(38, 12)))::double
        as segment_mcs_change_sum,  -- Sum of the differences of last and first score.
    segment_mcs_change_sum / count(*)
        as segment_mcs_change_avg,  -- Mean difference of last and first score: segment_mcs_change_sum /
                                    -- segment_movement_count.
    quantile_cont(mcs_change, 0.5)
        as segment_mcs_change_p50,  -- Median of the segment_movement_count differences of last and first score.
    count(*) filter (where mcs_change > 0)
        as segment_risen_count,  -- Segments whose last score is higher than the first.
    segment_risen_count / count(*) as segment_risen_share,  -- segment_risen_count / segment_movement_count.
    count(*) filter (where mcs_change < 0)
        as segment_fallen_count,  -- Segments whose last score is lower than the first.
    segment_fallen_count / count(*) as segment_fallen_share,  -- segment_fallen_count / segment_movement_count.
    count(*) filter (where mcs_change = 0) as segment_level_count,  -- Segments whose last score equals the first.
    segment_level_count / count(*) as segment_level_share  -- segment_level_count / segment_movement_count.
from named_segments
where scored_line_count > 1
group by account_id, date, skill_id, is_bot, type
