-- Conversations with the settings of their account.
-- Grain:   one row per row of conversations.
-- Counts:  all conversations, with the columns of conversation_times that settings are applied to.
-- Units:   as in conversation_times and account_rules.
-- Source:  ours; conversation_times and account_rules.

select
    conversation.account_id,
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
    coalesce(own.time_zone, general.time_zone) as time_zone,
    coalesce(own.service_level_seconds, general.service_level_seconds) as service_level_seconds,
    coalesce(own.short_abandon_seconds, general.short_abandon_seconds) as short_abandon_seconds,
    coalesce(own.wait_bounds_seconds, general.wait_bounds_seconds) as wait_bounds_seconds,
    coalesce(own.mcs_neutral_from, general.mcs_neutral_from) as mcs_neutral_from,
    coalesce(own.mcs_positive_from, general.mcs_positive_from) as mcs_positive_from,
    coalesce(own.repeat_bounds_hours, general.repeat_bounds_hours) as repeat_bounds_hours,
    coalesce(own.resolution_hours, general.resolution_hours) as resolution_hours
from conversation_times as conversation
left join account_rules as own on conversation.account_id = own.account_id
cross join (select * from account_rules where account_id is null) as general
