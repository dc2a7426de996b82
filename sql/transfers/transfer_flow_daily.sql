-- Transfers from skill to skill, and the waits and outcomes in the queues that they led to.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type, skill_id (left), target_skill_id
--          (went to) and is_bot (of the hand-over); a missing skill is a group of its own.
-- Counts:  transfers; a bot's stand apart, is_bot: the agent who handed over is a bot, or the skill left is a bot's.
--          flow_conversation_count is the conversations that have at least one of them. Entries: transfers that put the
--          visitor into a queue of people, with their outcomes as in queue_entries; transfer_queued_count of them were
--          answered and have a wait, which the queue columns look at. Queues of bots are bot_transfer_entry_count
--          alone.
-- Units:   seconds; the percentile is interpolated (quantile_cont); shares from 0 to 1, NULL where the denominator is
--          0.
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
    is_bot,
    count(*) as transfer_count,  -- Transfers.
    count(distinct (conversation_start_time, conversation_id))
        as flow_conversation_count,  -- Conversations with at least one transfer between the two.
    count(*) filter (where is_entry and not is_bot_entry)
        as transfer_entry_count,  -- Entries of people by a transfer.
    count(*) filter (where outcome = 'answered' and not is_bot_entry)
        as transfer_answered_count,  -- Entries of people by a transfer that were answered.
    count(*) filter (where outcome = 'abandoned' and not is_bot_entry)
        as transfer_abandoned_count,  -- Entries of people by a transfer that were abandoned.
    transfer_abandoned_count / nullif(transfer_abandoned_count + transfer_answered_count, 0)
        as transfer_abandoned_share,  -- transfer_abandoned_count
                                       -- / (transfer_abandoned_count + transfer_answered_count).
    count(wait_milliseconds) filter (where outcome = 'answered' and not is_bot_entry)
        as transfer_queued_count,  -- Answered entries of people by a transfer with a known wait.
    coalesce(sum(wait_milliseconds) filter (where outcome = 'answered' and not is_bot_entry), 0) / 1000
        as transfer_queue_sum_seconds,  -- Sum of the waits of answered entries of people by a transfer.
    avg(wait_milliseconds) filter (where outcome = 'answered' and not is_bot_entry) / 1000
        as transfer_queue_avg_seconds,  -- Mean wait: transfer_queue_sum_seconds / transfer_queued_count.
    quantile_cont(wait_milliseconds, 0.5) filter (where outcome = 'answered' and not is_bot_entry) / 1000
        as transfer_queue_p50_seconds,  -- Median wait of the transfer_queued_count answered entries of people.
    count(*) filter (where is_bot_entry)
        as bot_transfer_entry_count  -- Entries by a transfer that a bot answered, or into a bot's queue.
from named_transfers
group by account_id, date, type, skill_id, target_skill_id, is_bot
