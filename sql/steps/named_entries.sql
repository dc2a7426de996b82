-- Entries into queues with their day, the names of skills, bots, and the settings of the account.
-- Grain:   one row per row of queue_entries.
-- Counts:  all entries. is_bot: by agents.csv of who answered, else by skills.csv; where no bot is named,
--          nobody is.
-- Units:   as in queue_entries and account_rules; date is the UTC day of entering, conversation_date the partition.
-- Source:  ours; queue_entries, skill_names, agent_names and account_rules.

select
    entry.account_id,  -- The LivePerson account.
    entry.conversation_id,  -- The conversation.
    entry.date as conversation_date,  -- UTC day on which the conversation started.
    entry.entered_date as date,  -- UTC day of entering the queue, else of the conversation.
    entry.type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    entry.campaign_id,
    entry.source_origin,
    entry.source_device,
    entry.entry_number,
    entry.is_transfer,
    entry.skill_id,  -- Skill whose queue it was.
    skill.skill_name,  -- Name of the skill; NULL: it has none.
    skill.skill_group,  -- Group of the skill; NULL: it has none.
    coalesce(agent.is_bot, skill.is_bot, false)
        as is_bot,  -- A bot's: by agents.csv of the agent who answered, else by skills.csv.
    entry.agent_id,  -- Agent who answered; NULL: nobody did, or it is not known.
    entry.entered_time,
    entry.left_time,
    entry.outcome,
    entry.wait_milliseconds,
    case when entry.outcome = 'answered' then entry.wait_milliseconds end
        as answered_milliseconds,  -- wait_milliseconds of an answered entry; else NULL.
    rules.time_zone,
    rules.interval_minutes,
    rules.service_level_seconds,
    rules.short_abandon_seconds,
    rules.wait_bounds_seconds,
    round(rules.service_level_seconds * 1000)::bigint
        as service_level_milliseconds,  -- service_level_seconds, in whole milliseconds.
    round(rules.short_abandon_seconds * 1000)::bigint
        as short_abandon_milliseconds,  -- short_abandon_seconds, in whole milliseconds.
    list_transform(rules.wait_bounds_seconds, lambda bound: round(bound * 1000)::bigint)
        as wait_bounds_milliseconds,  -- wait_bounds_seconds, in whole milliseconds.
    coalesce(entry.wait_milliseconds <= rules.longest_queue_hours * 3_600_000, false)
        as is_likely  -- The wait is known, and not longer than longest_queue_hours.
from queue_entries as entry
join account_rules as rules
    on rules.account_id is not distinct from rules_account(entry.account_id)
left join skill_names as skill
    on entry.account_id = skill.account_id
    and entry.skill_id = skill.skill_id
left join agent_names as agent
    on entry.account_id = agent.account_id
    and entry.agent_id = agent.agent_id
