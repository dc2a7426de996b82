-- Every entry into a queue: at the start of a conversation, and at each transfer.
-- Grain:   one row per row of conversations and of transfers that has a queue_start_time.
-- Counts:  left_time is when the queue was left: its end; where that is missing, of an abandoned conversation its end,
--          of a transfer the next transfer, else the conversation's end. is_valid: left_time is known, not before
--          entered_time, and not more than longest_queue_hours after it.
-- Units:   instants; interval_minutes and time_zone are the account's settings. date is the conversation's.
-- Source:  queueStartTime and queueEndTime of Conversation and Transfer; "requested chats" as in Analytics Builder.

with handovers as (
    select
        transfers.account_id,
        transfers.conversation_id,
        transfers.date,
        transfers.queue_start_time,
        coalesce(
            transfers.queue_end_time,
            lead(transfers.timestamp) over (
                partition by transfers.date, transfers.conversation_id, transfers.account_id
                order by transfers.position
            )
        ) as left_time
    from transfers
),

entries as (
    select
        account_id,
        date,
        false as is_transfer,
        is_connected,
        queue_start_time as entered_time,
        left_queue_time as left_time
    from conversation_times
    union all
    select
        handovers.account_id,
        handovers.date,
        true as is_transfer,
        null as is_connected,
        handovers.queue_start_time as entered_time,
        coalesce(handovers.left_time, conversations.conversation_end_time) as left_time
    from handovers
    left join conversations
        on handovers.account_id is not distinct from conversations.account_id
        and handovers.conversation_id = conversations.conversation_id
        and handovers.date = conversations.date
)

select
    entries.account_id,  -- The LivePerson account.
    entries.date,
    entries.is_transfer,  -- A transfer, else the start of a conversation.
    entries.is_connected,  -- The conversation was connected; NULL for transfers.
    entries.entered_time,  -- The queue was entered.
    entries.left_time,  -- The queue was left.
    coalesce(
        epoch_ms(entries.left_time) - epoch_ms(entries.entered_time)
        between 0 and rules.longest_queue_hours * 3_600_000,
        false
    ) as is_valid,  -- The wait is known and of a likely length.
    rules.interval_minutes,
    rules.time_zone
from entries
join account_rules as rules
    on rules.account_id is not distinct from rules_account(entries.account_id)
where entries.entered_time is not null
