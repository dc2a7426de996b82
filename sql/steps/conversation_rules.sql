-- Conversations with the settings of their account.
-- Grain:   one row per row of conversations.
-- Counts:  all conversations, with the columns of conversation_times that settings are applied to.
-- Units:   as in conversation_times and account_rules.
-- Source:  ours; conversation_times and account_rules.

select
    conversation.account_id,  -- The LivePerson account.
    conversation.conversation_id,
    conversation.date,
    conversation.skill_id,
    conversation.agent_id,
    conversation.mcs,
    conversation.conversation_start_time,
    conversation.conversation_end_time,
    conversation.is_connected,
    conversation.is_abandoned,
    conversation.queue_milliseconds,
    conversation.connected_queue_milliseconds,
    rules.time_zone,
    rules.service_level_seconds,
    rules.short_abandon_seconds,
    rules.wait_bounds_seconds,
    rules.mcs_neutral_from,
    rules.mcs_positive_from,
    rules.repeat_bounds_hours,
    rules.resolution_hours
from conversation_times as conversation
join account_rules as rules
    on rules.account_id is not distinct from rules_account(conversation.account_id)
