-- Conversations with the names of skills and agents, and the settings of the account.
-- Grain:   one row per row of conversation_metrics.
-- Counts:  all conversations.
-- Units:   as in conversation_metrics and account_rules; date is the UTC day on which the conversation started.
-- Source:  ours; conversation_metrics, skill_names, agent_names and account_rules.

select
    conversation.*,
    skill.skill_name,  -- Name of the last skill; NULL: it has none.
    agent.agent_name,  -- Name of the last agent; NULL: it has none.
    rules.time_zone,
    rules.interval_minutes,
    rules.mcs_neutral_from,
    rules.mcs_positive_from,
    rules.repeat_bounds_hours,
    rules.resolution_hours
from conversation_metrics as conversation
join account_rules as rules
    on rules.account_id is not distinct from rules_account(conversation.account_id)
left join skill_names as skill
    on conversation.account_id = skill.account_id
    and conversation.skill_id = skill.skill_id
left join agent_names as agent
    on conversation.account_id = agent.account_id
    and conversation.agent_id = agent.agent_id
