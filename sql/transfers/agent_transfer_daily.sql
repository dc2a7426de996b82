-- Transfers by the agent and the skill that handed over, and by kind of target.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), agent_id and skill_id that began a
--          transfer.
-- Counts:  transfers, for the agent and the skill that handed the conversation over. Kinds as in transfer_times;
--          no_target_count are those without any target.
-- Units:   counts.
-- Source:  transfers as in Analytics Builder, which credits them to the agent who begins them.

select
    account_id,
    date,
    agent_id,  -- Agent who handed them over.
    skill_id,  -- Skill that the conversations left.
    count(*) as transfer_count,  -- Transfers.
    count(*) filter (where transfer_kind = 'agent') as to_agent_count,  -- Transfers to an agent.
    count(*) filter (where transfer_kind = 'skill') as to_skill_count,  -- Transfers to another skill.
    count(*) filter (where transfer_kind = 'queue')
        as to_queue_count,  -- Transfers back to the queue of the same skill.
    count(*) filter (where transfer_kind is null) as no_target_count  -- Transfers without a target.
from transfer_times
group by account_id, date, agent_id, skill_id
