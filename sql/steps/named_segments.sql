-- Segments with the names of skills and agents, bots, and the settings of the account.
-- Grain:   one row per row of segments.
-- Counts:  all segments. is_bot: by agents.csv, else by skills.csv; where no bot is named, nobody is.
-- Units:   as in segments and account_rules; date is the UTC day of the assignment, conversation_date the
--          partition.
-- Source:  ours; segments, skill_names, agent_names and account_rules.

select
    segment.account_id,  -- The LivePerson account.
    segment.conversation_id,  -- The conversation.
    segment.date as conversation_date,  -- UTC day on which the conversation started.
    coalesce(make_timestamp(epoch_us(segment.assigned_time))::date, segment.date)
        as date,  -- UTC day of the assignment, else of the conversation.
    segment.type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    segment.campaign_id,
    segment.source_origin,
    segment.source_device,
    segment.segment_number,  -- Place of the segment in the conversation, from 1.
    segment.is_last,
    segment.skill_id,  -- Skill of the segment.
    skill.skill_name,  -- Name of the skill; NULL: it has none.
    skill.skill_group,  -- Group of the skill; NULL: it has none.
    segment.agent_id,  -- Agent of the segment; NULL: not known.
    agent.agent_name,  -- Name of the agent; NULL: it has none.
    agent.agent_group,  -- Group of the agent; NULL: it has none.
    coalesce(agent.is_bot, skill.is_bot, false)
        as is_bot,  -- A bot's: by agents.csv, else by skills.csv.
    segment.opened_time,
    segment.assigned_time,
    segment.ended_time,
    segment.engaged_milliseconds,
    segment.agent_line_count,
    segment.visitor_line_count,
    segment.first_response_milliseconds,
    segment.first_response_from_opening_milliseconds,
    segment.bounce_count,
    segment.scored_line_count,
    segment.mcs_first,
    segment.mcs_last,
    segment.mcs_last - segment.mcs_first as mcs_change,  -- mcs_last - mcs_first.
    rules.time_zone,
    rules.interval_minutes
from segments as segment
join account_rules as rules
    on rules.account_id is not distinct from rules_account(segment.account_id)
left join skill_names as skill
    on segment.account_id = skill.account_id
    and segment.skill_id = skill.skill_id
left join agent_names as agent
    on segment.account_id = agent.account_id
    and segment.agent_id = agent.agent_id
