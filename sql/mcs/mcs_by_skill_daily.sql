-- The Meaningful Connection Score of conversations, skill by skill.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), skill_id (the conversation's last skill),
--          type and is_bot with a scored conversation; those without one are a group of their own.
-- Counts:  every score as it was sent, scored_count of them; one outside the account's scale is in no band. is_bot: a
--          bot had the conversation last.
-- Units:   points of the source's scale, the setting mcs_scale; percentiles are interpolated (quantile_cont). Shares
--          are of banded_count, those in a band, from 0 to 1, NULL where there is none.
-- Source:  mcs of Conversation, through named_conversations; credited to the last skill as in Analytics Builder.
-- Twins:   local_date, local_week, local_month, all_dates

select
    account_id,
    date,
    skill_id,
    any_value(skill_name) as skill_name,  -- Name of the skill; NULL: it has none.
    type,
    is_bot,
    count(*) as scored_count,  -- Conversations with a score.
    -- Added up as decimals, so that the last digit does not depend on how threads share the rows.
    sum(try_cast(mcs as decimal(38, 12)))::double as mcs_sum,  -- Sum of the scores.
    mcs_sum / scored_count as mcs_avg,  -- Mean score: mcs_sum / scored_count.
    quantile_cont(mcs, 0.1) as mcs_p10,  -- Score that 10 % of the scored_count do not exceed.
    quantile_cont(mcs, 0.5) as mcs_p50,  -- Median of the scored_count scores.
    quantile_cont(mcs, 0.9) as mcs_p90,  -- Score that 90 % of the scored_count do not exceed.
    count(mcs_band) as banded_count,  -- Conversations with a score on the account's scale, so in a band.
    count(*) filter (where mcs_band = 'negative')
        as negative_count,  -- Conversations with a score in the negative band.
    negative_count / nullif(banded_count, 0) as negative_share,  -- negative_count / banded_count.
    count(*) filter (where mcs_band = 'neutral') as neutral_count,  -- Conversations with a score in the neutral band.
    neutral_count / nullif(banded_count, 0) as neutral_share,  -- neutral_count / banded_count.
    count(*) filter (where mcs_band = 'positive')
        as positive_count,  -- Conversations with a score in the positive band.
    positive_count / nullif(banded_count, 0) as positive_share  -- positive_count / banded_count.
from named_conversations
where mcs is not null
group by account_id, date, skill_id, type, is_bot
