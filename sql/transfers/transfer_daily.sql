-- Transfers by people and by bots, by kind of target, returns, and the waits of visitors in the queues that follow.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type and is_bot with a connected
--          conversation or a transfer.
-- Counts:  rows of people: transfers by people, and the connected conversations that a person had, handled_count of
--          them. Rows of bots: hand-overs by bots, and the connected conversations that a bot had. A conversation that
--          both had is in both rows, so handled_count does not add up over is_bot. Rates are of handled_count and of
--          its transfers. Kinds and returns as in named_transfers. Entries: transfers that put the visitor into a queue
--          of people, with their outcomes as in queue_entries; transfer_queued_count of them were answered and have a
--          wait, which the queue columns look at. Queues of bots are bot_transfer_entry_count alone.
-- Units:   shares from 0 to 1, NULL where the denominator is 0; seconds; percentiles are interpolated (quantile_cont).
-- Source:  transfers and transfer rate as in Analytics Builder; people apart from bots, and returns, are ours.
-- Twins:   local_date, local_week, local_month

with had_bot as materialized (
    select account_id, conversation_id, bot_segment_count
    from bot_parts
),

handled as (
    select
        conversation.account_id,
        conversation.date,
        conversation.type,
        count(*) filter (where not coalesce(bots.bot_segment_count = conversation.segment_count, false))
            as person_count,
        count(bots.bot_segment_count) as bot_count
    from named_conversations as conversation
    left join had_bot as bots
        on conversation.account_id is not distinct from bots.account_id
        and conversation.conversation_id = bots.conversation_id
    where conversation.is_connected
    group by conversation.account_id, conversation.date, conversation.type
),

work as (
    select
        transfer.account_id,
        transfer.date,
        transfer.type,
        transfer.is_bot,
        0 as conversations,
        true as is_transfer,
        transfer.transfer_kind,
        case
            when not transfer.is_connected then null
            when transfer.is_bot and bots.bot_segment_count is null then null
            when not transfer.is_bot and bots.bot_segment_count = transfer.segment_count then null
            else transfer.conversation_id
        end as transferred_id,
        transfer.is_return,
        transfer.is_entry,
        transfer.is_bot_entry,
        transfer.outcome,
        transfer.wait_milliseconds
    from named_transfers as transfer
    left join had_bot as bots
        on transfer.account_id is not distinct from bots.account_id
        and transfer.conversation_id = bots.conversation_id
    where transfer.is_connected is not null
    union all by name
    select account_id, date, type, false as is_bot, person_count as conversations, false as is_transfer
    from handled
    where person_count > 0
    union all by name
    select account_id, date, type, true as is_bot, bot_count as conversations, false as is_transfer
    from handled
    where bot_count > 0
)

select
    account_id,
    date,  -- UTC day on which the conversation started.
    type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    is_bot,  -- True for transfers by bots, false for those by people.
    sum(conversations)::bigint
        as handled_count,  -- Connected conversations that a person had; of is_bot that a bot had.
    count(*) filter (where is_transfer) as transfer_count,  -- Transfers.
    count(transferred_id) as handled_transfer_count,  -- Transfers of the conversations of handled_count.
    handled_transfer_count / nullif(handled_count, 0)
        as transfers_per_conversation,  -- handled_transfer_count / handled_count.
    count(distinct transferred_id) as transferred_count,  -- Conversations of handled_count with a transfer at least.
    transferred_count / nullif(handled_count, 0) as transferred_share,  -- transferred_count / handled_count.
    count(*) filter (where transfer_kind = 'agent') as to_agent_count,  -- Transfers to an agent.
    count(*) filter (where transfer_kind = 'skill') as to_skill_count,  -- Transfers to another skill.
    count(*) filter (where transfer_kind = 'queue')
        as to_queue_count,  -- Transfers back to the queue of the same skill.
    count(*) filter (where is_transfer and transfer_kind is null) as no_target_count,  -- Transfers without a target.
    count(distinct transferred_id) filter (where is_return)
        as returned_count,  -- Conversations of transferred_count that went back to a skill or an agent they had left.
    returned_count / nullif(transferred_count, 0) as returned_share,  -- returned_count / transferred_count.
    count(*) filter (where is_entry and not is_bot_entry)
        as transfer_entry_count,  -- Entries of people by a transfer.
    count(*) filter (where outcome = 'answered' and not is_bot_entry)
        as transfer_answered_count,  -- Entries of people by a transfer that were answered.
    count(*) filter (where outcome = 'abandoned' and not is_bot_entry)
        as transfer_abandoned_count,  -- Entries of people by a transfer that were abandoned.
    count(*) filter (where outcome = 'moved' and not is_bot_entry)
        as transfer_moved_count,  -- Entries of people by a transfer that a further transfer moved on.
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
    quantile_cont(wait_milliseconds, 0.9) filter (where outcome = 'answered' and not is_bot_entry) / 1000
        as transfer_queue_p90_seconds,  -- Wait that 90 % of the transfer_queued_count entries did not exceed.
    count(*) filter (where is_bot_entry)
        as bot_transfer_entry_count  -- Entries by a transfer that a bot answered, or into a bot's queue.
from work
group by account_id, date, type, is_bot
