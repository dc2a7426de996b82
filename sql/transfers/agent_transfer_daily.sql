-- Transfers by the agent and the skill that handed over, and by kind of target.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type, agent_id, skill_id and is_bot that
--          began a transfer.
-- Counts:  transfers, for the agent and the skill that handed the conversation over, not its last ones. is_bot: by
--          agents.csv, else by skills.csv. Kinds and returns as in named_transfers; no_target_count are those
--          without any target.
-- Units:   counts.
-- Source:  transfers as in Analytics Builder, which credits them to the agent who begins them.
-- Twins:   local_date, local_week, local_month

select
    account_id,
    date,
    type,
    agent_id,  -- Agent who handed the conversations over; NULL: not known.
    any_value(agent_name) as agent_name,  -- Name of the agent who handed over; NULL: it has none.
    skill_id,  -- Skill that the conversations left; NULL: not known.
    any_value(skill_name) as skill_name,  -- Name of the skill left; NULL: it has none.
    is_bot,
    count(*) as transfer_count,  -- Transfers.
    count(*) filter (where transfer_kind = 'agent') as to_agent_count,  -- Transfers to an agent.
    count(*) filter (where transfer_kind = 'skill') as to_skill_count,  -- Transfers to another skill.
    count(*) filter (where transfer_kind = 'queue')
        as to_queue_count,  -- Transfers back to the queue of the same skill.
    count(*) filter (where transfer_kind is null) as no_target_count,  -- Transfers without a target.
    count(*) filter (where is_return)
        as return_count  -- Transfers back to a skill or an agent that the conversation had left.
from named_transfers
group by account_id, date, type, agent_id, skill_id, is_bot
