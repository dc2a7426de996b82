-- The Meaningful Connection Score of conversations, day by day.
-- Grain:   one row per account_id, date (UTC, of the conversation's start) and type with a conversation, scored or not.
-- Counts:  every score as it was sent, also one outside the account's scale (sql/checks/mcs_range.sql lists those). A
--          day without a score has scored_count 0 and NULL in the other columns of scores. The people columns leave out
--          conversations that a bot had last; the bot columns have those alone.
-- Units:   points of the source's scale, the setting mcs_scale; percentiles are interpolated (quantile_cont).
-- Source:  mcs of Conversation.
-- Twins:   local_date, local_week, local_month

select
    account_id,
    date,
    type,
    count(mcs) as scored_count,  -- Conversations with a score.
    -- Added up as decimals, so that the last digit does not depend on how threads share the rows.
    sum(try_cast(mcs as decimal(38, 12)))::double / nullif(scored_count, 0)
        as mcs_avg,  -- Mean score: mcs_sum / scored_count.
    quantile_cont(mcs, 0.1) as mcs_p10,  -- Score that 10 % of the scored_count do not exceed.
    quantile_cont(mcs, 0.5) as mcs_p50,  -- Median of the scored_count scores.
    quantile_cont(mcs, 0.9) as mcs_p90,  -- Score that 90 % of the scored_count do not exceed.
    sum(try_cast(mcs as decimal(38, 12)))::double as mcs_sum,  -- Sum of the scores.
    count(*) as conversation_count,  -- Conversations.
    count(mcs) filter (where not is_bot) as people_scored_count,  -- Conversations with a score that a person had last.
    sum(try_cast(mcs as decimal(38, 12))) filter (where not is_bot)::double
        as people_mcs_sum,  -- Sum of the scores of conversations that a person had last.
    people_mcs_sum / nullif(people_scored_count, 0)
        as people_mcs_avg,  -- Mean score: people_mcs_sum / people_scored_count.
    quantile_cont(mcs, 0.1) filter (where not is_bot)
        as people_mcs_p10,  -- Score that 10 % of the people_scored_count do not exceed.
    quantile_cont(mcs, 0.5) filter (where not is_bot) as people_mcs_p50,  -- Median of the people_scored_count scores.
    quantile_cont(mcs, 0.9) filter (where not is_bot)
        as people_mcs_p90,  -- Score that 90 % of the people_scored_count do not exceed.
    count(mcs) filter (where is_bot) as bot_scored_count,  -- Conversations with a score that a bot had last.
    sum(try_cast(mcs as decimal(38, 12))) filter (where is_bot)::double
        as bot_mcs_sum,  -- Sum of the scores of conversations that a bot had last.
    bot_mcs_sum / nullif(bot_scored_count, 0) as bot_mcs_avg  -- Mean score: bot_mcs_sum / bot_scored_count.
from named_conversations
group by account_id, date, type
