-- Transfers from skill to skill, and the waits and outcomes in the queues that they led to.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type, skill_id (left) and target_skill_id
--          (went to); a missing skill is a group of its own.
-- Counts:  transfers; conversation_count is the conversations that have at least one of them. Entries: transfers that
--          put the visitor into a queue, with their outcomes as in queue_entries; queued_count of them were answered
--          and have a wait, which the queue columns look at.
-- Units:   seconds; the percentile is interpolated (quantile_cont).
-- Source:  skillId, targetSkillId of Transfer and queue_entries, through named_transfers.
-- Twins:   local_date, local_week, local_month, all_dates

select
    account_id,
    date,
    type,
    skill_id,
    any_value(skill_name) as skill_name,
    target_skill_id,
    any_value(target_skill_name) as target_skill_name,
    count(*) as transfer_count,  -- Transfers.
    count(distinct (conversation_start_time, conversation_id))
        as conversation_count,  -- Conversations with at least one transfer between the two.
    count(*) filter (where is_entry) as entry_count,  -- Transfers that put the visitor into a queue.
    count(*) filter (where outcome = 'answered') as answered_count,  -- Entries by transfer that an agent answered.
    count(*) filter (where outcome = 'abandoned')
        as abandoned_count,  -- Entries by transfer in which the visitor gave up.
    abandoned_count / nullif(abandoned_count + answered_count, 0)
        as abandoned_share,  -- abandoned_count / (abandoned_count + answered_count).
    count(wait_milliseconds) filter (where outcome = 'answered')
        as queued_count,  -- Answered entries by transfer with a known wait.
    coalesce(sum(wait_milliseconds) filter (where outcome = 'answered'), 0) / 1000
        as queue_sum_seconds,  -- Sum of the waits of answered entries by transfer.
    avg(wait_milliseconds) filter (where outcome = 'answered') / 1000
        as queue_avg_seconds,  -- Mean wait of answered entries by transfer: queue_sum_seconds / queued_count.
    quantile_cont(wait_milliseconds, 0.5) filter (where outcome = 'answered') / 1000
        as queue_p50_seconds  -- Median wait of the queued_count answered entries by transfer.
from named_transfers
group by account_id, date, type, skill_id, target_skill_id
