-- Transfers by kind of target, returns, and the waits of visitors in the queues of transfers.
-- Grain:   one row per account_id, date (UTC, of the conversation's start) and type with a conversation.
-- Counts:  all transfers of these conversations; kinds and returns as in named_transfers. Rates are of connected
--          conversations and of their transfers. Entries: transfers that put the visitor into a queue, with their
--          outcomes as in queue_entries; queued_count of them were answered and have a wait, which the queue columns
--          look at.
-- Units:   shares from 0 to 1, NULL where the denominator is 0; seconds; percentiles are interpolated (quantile_cont).
-- Source:  transfers and transfer rate as in Analytics Builder; returns are ours (ping-pong).
-- Twins:   local_date, local_week, local_month

with work as (
    select
        account_id,
        date,
        type,
        is_connected,
        is_connected and transfer_count > 0 as is_transferred,
        false as is_transfer,
        null as transfer_kind,
        false as is_entry,
        null as outcome,
        null::bigint as wait_milliseconds,
        null as returned_id
    from named_conversations
    union all
    select
        account_id,
        date,
        type,
        is_connected,
        false as is_transferred,
        true as is_transfer,
        transfer_kind,
        is_entry,
        outcome,
        wait_milliseconds,
        case when is_return and is_connected then conversation_id end as returned_id
    from named_transfers
    where is_connected is not null
)

select
    account_id,
    date,  -- UTC day on which the conversation started.
    type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    count(*) filter (where is_connected and not is_transfer) as connected_count,  -- Connected conversations.
    count(*) filter (where is_transfer) as transfer_count,  -- Transfers.
    count(*) filter (where is_connected and is_transfer)
        as connected_transfer_count,  -- Transfers of connected conversations.
    connected_transfer_count / nullif(connected_count, 0)
        as transfers_per_conversation,  -- connected_transfer_count / connected_count.
    count(*) filter (where is_transferred) as transferred_count,  -- Connected conversations with a transfer at least.
    transferred_count / nullif(connected_count, 0) as transferred_share,  -- transferred_count / connected_count.
    count(*) filter (where transfer_kind = 'agent') as to_agent_count,  -- Transfers to an agent.
    count(*) filter (where transfer_kind = 'skill') as to_skill_count,  -- Transfers to another skill.
    count(*) filter (where transfer_kind = 'queue')
        as to_queue_count,  -- Transfers back to the queue of the same skill.
    count(*) filter (where is_transfer and transfer_kind is null) as no_target_count,  -- Transfers without a target.
    count(distinct returned_id)
        as returned_count,  -- Connected conversations that went back to a skill or an agent that they had left.
    returned_count / nullif(transferred_count, 0) as returned_share,  -- returned_count / transferred_count.
    count(*) filter (where is_entry) as entry_count,  -- Transfers that put the visitor into a queue.
    count(*) filter (where outcome = 'answered') as answered_count,  -- Entries by transfer that an agent answered.
    count(*) filter (where outcome = 'abandoned')
        as abandoned_count,  -- Entries by transfer in which the visitor gave up.
    count(*) filter (where outcome = 'moved') as moved_count,  -- Entries by transfer that a further transfer ended.
    abandoned_count / nullif(abandoned_count + answered_count, 0)
        as abandoned_share,  -- abandoned_count / (abandoned_count + answered_count).
    count(wait_milliseconds) filter (where outcome = 'answered')
        as queued_count,  -- Answered entries by transfer with a known wait.
    coalesce(sum(wait_milliseconds) filter (where outcome = 'answered'), 0) / 1000
        as queue_sum_seconds,  -- Sum of the waits of answered entries by transfer.
    avg(wait_milliseconds) filter (where outcome = 'answered') / 1000
        as queue_avg_seconds,  -- Mean wait of answered entries by transfer: queue_sum_seconds / queued_count.
    quantile_cont(wait_milliseconds, 0.5) filter (where outcome = 'answered') / 1000
        as queue_p50_seconds,  -- Median wait of the queued_count answered entries by transfer.
    quantile_cont(wait_milliseconds, 0.9) filter (where outcome = 'answered') / 1000
        as queue_p90_seconds  -- Wait that 90 % of the queued_count answered entries by transfer did not exceed.
from work
group by account_id, date, type
