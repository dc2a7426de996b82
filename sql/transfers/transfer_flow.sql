-- Transfers from skill to skill, and waits after them.
-- Grain:   one row per account_id, skill_id (left) and target_skill_id (went to); a missing skill is a group of its
--          own.
-- Counts:  transfers; conversation_count is the conversations that have at least one of them; queued_count is the
--          transfers with a queue time, which the queue columns look at. All dates together.
-- Units:   seconds; the percentile is interpolated (quantile_cont).
-- Source:  skillId, targetSkillId, queueStartTime, queueEndTime of Transfer, through transfer_times.

select
    account_id,
    skill_id,
    target_skill_id,
    count(*) as transfer_count,  -- Transfers.
    count(distinct (date, conversation_id)) as conversation_count,  -- Conversations with such a transfer.
    count(queue_milliseconds) as queued_count,  -- Transfers with a known wait.
    avg(queue_milliseconds) / 1000 as queue_avg_seconds,  -- Mean wait in the queue of the transfer.
    quantile_cont(queue_milliseconds, 0.5) / 1000 as queue_p50_seconds  -- Median wait in the queue of the transfer.
from transfer_times
group by account_id, skill_id, target_skill_id
