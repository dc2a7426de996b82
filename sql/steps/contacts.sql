-- Conversations, each once where the account sends one record a leg.
-- Grain:   one row per conversation; of legs of one conversation there is one row for all.
-- Counts:  legs are those of the step conversation_legs. The row has the ids and the end of the last leg, the first
--          skill, the first agent and the start of the first. is_served: a person or a bot wrote a line, in one of the
--          legs. ended_in_queue: the visitor gave up in a queue at the end.
-- Units:   instants.
-- Source:  ours; conversation_metrics, through conversation_legs.

with records as (
    select
        account_id,
        conversation_id,
        date,
        type,
        person_id,
        first_skill_id,
        first_agent_id,
        skill_id,
        agent_id,
        conversation_start_time,
        conversation_end_time,
        agent_line_count > 0 as is_served,
        abandoned_entry_count > 0 as ended_in_queue
    from conversation_metrics
),

parts as materialized (
    select *
    from conversation_legs
),

joined as (
    select
        records.* replace (
            first_value(records.first_skill_id) over contact as first_skill_id,
            first_value(records.first_agent_id) over contact as first_agent_id,
            first_value(records.conversation_start_time) over contact as conversation_start_time,
            bool_or(records.is_served) over contact as is_served
        ),
        parts.leg_count
    from records
    join parts
        on records.account_id is not distinct from parts.account_id
        and records.conversation_id = parts.conversation_id
        and records.date = parts.date
    window contact as (
        partition by parts.account_id, parts.contact_id, parts.contact_date
        order by parts.leg_number
        rows between unbounded preceding and unbounded following
    )
    qualify parts.leg_number = parts.leg_count
)

select
    account_id,
    conversation_id,
    date,
    type,
    person_id,
    first_skill_id,
    first_agent_id,
    skill_id,
    agent_id,
    conversation_start_time,
    conversation_end_time,
    is_served,
    ended_in_queue,
    leg_count
from joined
union all
select
    account_id,
    conversation_id,
    date,
    type,
    person_id,
    first_skill_id,
    first_agent_id,
    skill_id,
    agent_id,
    conversation_start_time,
    conversation_end_time,
    is_served,  -- A person or a bot wrote a line.
    ended_in_queue,  -- The visitor gave up in a queue, so that no agent had the conversation last.
    1 as leg_count  -- Records of the conversation, one if it has no legs.
from records
anti join parts
    on records.account_id is not distinct from parts.account_id
    and records.conversation_id = parts.conversation_id
    and records.date = parts.date
