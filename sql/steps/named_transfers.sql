-- Transfers with their conversation, their kind, what became of the visitor in the queue, and the names of those left.
-- Grain:   one row per row of transfers.
-- Counts:  all transfers. transfer_kind: agent where there is a target agent, skill where the target skill is another
--          one, queue where it went back to the queue of the same skill, NULL where it has no target at all. is_return:
--          it went to a skill or to an agent that the conversation had left, by this transfer or an earlier one.
--          is_bot: a bot handed over. outcome, wait_milliseconds and is_bot_entry are those of the transfer's entry in
--          queue_entries, NULL without one.
-- Units:   as in queue_entries and account_rules; date is the conversation's. Agents '' and '0' are none.
-- Source:  Transfer; kinds as in Analytics Builder; conversation_metrics, named_entries, skill_names, agent_names.

with transfer_steps as (
    select
        account_id,
        conversation_id,
        date,
        position,
        timestamp,
        skill_id,
        target_skill_id,
        case when agent_id not in ('', '0') then agent_id end as agent_id,
        case when target_agent_id not in ('', '0') then target_agent_id end as target_agent_id,
        -- The start of the conversation is entry 1.
        case
            when queue_start_time is not null then 1 + count(queue_start_time) over earlier
        end as entry_number,
        list(skill_id) over earlier as left_skills,
        list(nullif(nullif(agent_id, ''), '0')) over earlier as left_agents
    from transfers
    window earlier as (
        partition by date, conversation_id, account_id order by position
        rows between unbounded preceding and current row
    )
),

entered as (
    select
        account_id,
        conversation_id,
        conversation_date as date,
        entry_number,
        outcome,
        wait_milliseconds,
        is_bot
    from named_entries
    where is_transfer
)

select
    transfer.account_id,  -- The LivePerson account.
    transfer.conversation_id,  -- The conversation.
    transfer.date,  -- UTC day on which the conversation started.
    conversation.type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING; NULL: it is missing.
    conversation.conversation_start_time,
    conversation.is_connected,
    conversation.segment_count,
    transfer.position,  -- Place of the transfer in the conversation, from 0.
    transfer.timestamp,  -- Time of the transfer.
    transfer.skill_id,  -- Skill that the conversation left.
    skill.skill_name,  -- Name of the skill left; NULL: it has none.
    transfer.target_skill_id,  -- Skill that the transfer went to.
    target.skill_name as target_skill_name,  -- Name of target_skill_id; NULL: it has none.
    transfer.agent_id,  -- Agent who handed the conversation over.
    agent.agent_name,  -- Name of the agent who handed it over; NULL: it has none.
    agent.agent_group,  -- Group of the agent who handed it over; NULL: it has none.
    coalesce(agent.is_bot, skill.is_bot, false)
        as is_bot,  -- A bot handed over: the agent by agents.csv, else the skill left by skills.csv.
    transfer.target_agent_id,  -- Agent whom the transfer was meant for.
    target_agent.agent_name as target_agent_name,  -- Name of target_agent_id; NULL: it has none.
    case
        when transfer.target_agent_id is not null then 'agent'
        when transfer.target_skill_id is distinct from transfer.skill_id and transfer.target_skill_id is not null
            then 'skill'
        when transfer.target_skill_id is not null then 'queue'
    end as transfer_kind,  -- agent, skill, queue, or NULL without a target.
    coalesce(
        list_contains(transfer.left_skills, transfer.target_skill_id)
        and transfer.target_skill_id is distinct from transfer.skill_id,
        false
    )
    or coalesce(
        list_contains(transfer.left_agents, transfer.target_agent_id)
        and transfer.target_agent_id is distinct from transfer.agent_id,
        false
    ) as is_return,  -- True where the transfer went back to a skill or agent left before.
    transfer.entry_number is not null as is_entry,  -- True where the transfer put the visitor into a queue.
    entered.outcome,
    entered.wait_milliseconds,
    entered.is_bot as is_bot_entry,  -- The queue is a bot's, or a bot answered; NULL: no queue.
    rules.time_zone
from transfer_steps as transfer
join account_rules as rules
    on rules.account_id is not distinct from rules_account(transfer.account_id)
left join conversation_metrics as conversation
    on transfer.account_id is not distinct from conversation.account_id
    and transfer.conversation_id = conversation.conversation_id
    and transfer.date = conversation.date
left join entered
    on transfer.account_id is not distinct from entered.account_id
    and transfer.conversation_id = entered.conversation_id
    and transfer.date = entered.date
    and transfer.entry_number = entered.entry_number
left join skill_names as skill
    on transfer.account_id = skill.account_id
    and transfer.skill_id = skill.skill_id
left join skill_names as target
    on transfer.account_id = target.account_id
    and transfer.target_skill_id = target.skill_id
left join agent_names as agent
    on transfer.account_id = agent.account_id
    and transfer.agent_id = agent.agent_id
left join agent_names as target_agent
    on transfer.account_id = target_agent.account_id
    and transfer.target_agent_id = target_agent.agent_id
