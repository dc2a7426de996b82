-- Answers of agents with the names of skills and agents, bots, and the settings of the account.
-- Grain:   one row per row of responses.
-- Counts:  all responses. is_bot: by agents.csv, else by skills.csv; where no bot is named, nobody is.
-- Units:   as in responses and account_rules; date is the UTC day of the agent's line, conversation_date the
--          partition.
-- Source:  ours; responses, skill_names, agent_names and account_rules.

select
    response.account_id,  -- The LivePerson account.
    response.conversation_id,  -- The conversation.
    response.date as conversation_date,  -- UTC day on which the conversation started.
    coalesce(make_timestamp(epoch_us(response.response_time))::date, response.date)
        as date,  -- UTC day of the agent's line, else of the conversation.
    response.type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    response.campaign_id,
    response.source_origin,
    response.source_device,
    response.response_number,  -- Place of the response in the conversation, from 1.
    response.segment_number,  -- Segment of the response; NULL: it falls in none.
    response.skill_id,  -- Skill of the segment.
    skill.skill_name,  -- Name of the skill; NULL: it has none.
    skill.skill_group,  -- Group of the skill; NULL: it has none.
    response.agent_id,  -- Author of the response; NULL: not known.
    agent.agent_name,  -- Name of the agent; NULL: it has none.
    agent.agent_group,  -- Group of the agent; NULL: it has none.
    coalesce(agent.is_bot, skill.is_bot, false)
        as is_bot,  -- A bot's: by agents.csv, else by skills.csv.
    response.visitor_time,  -- First line of the visitor's run of lines.
    response.response_time,  -- The agent's line.
    response.response_milliseconds,
    response.from_assignment_milliseconds,
    response.former_skill_id,
    response.former_agent_id,
    response.visitor_response_milliseconds,
    rules.time_zone,
    rules.interval_minutes,
    rules.response_bounds_seconds
from responses as response
join account_rules as rules
    on rules.account_id is not distinct from rules_account(response.account_id)
left join skill_names as skill
    on response.account_id = skill.account_id
    and response.skill_id = skill.skill_id
left join agent_names as agent
    on response.account_id = agent.account_id
    and response.agent_id = agent.agent_id
