-- The Meaningful Connection Score of conversations, day by day.
-- Grain:   one row per account_id and date (UTC, of the conversation's start) with a conversation, scored or not.
-- Counts:  every score as it was sent, also one outside 0 to 100 (sql/checks/mcs_range.sql lists those). A day
--          without a score has scored_count 0 and NULL in the other columns.
-- Units:   points of the source's scale; percentiles are interpolated (quantile_cont).
-- Source:  mcs of Conversation.

select
    account_id,
    date,
    count(mcs) as scored_count,  -- Conversations with a score.
    -- Added up in order, so that the last digit does not depend on how threads share the rows.
    avg(mcs order by mcs) as mcs_avg,  -- Mean score.
    quantile_cont(mcs, 0.1) as mcs_p10,  -- Score that 10 % do not exceed.
    quantile_cont(mcs, 0.5) as mcs_p50,  -- Median score.
    quantile_cont(mcs, 0.9) as mcs_p90  -- Score that 90 % do not exceed.
from conversations
group by account_id, date
