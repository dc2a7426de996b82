-- Conversations, each once where the account sends one record a leg.
-- Grain:   one row per conversation; of legs of one conversation there is one row for all.
-- Counts:  a record is a further leg if it started by a transfer (start reason 2 or 3) and the person's record before
--          it ended by one (end reason 101 or 106). The row has the ids and the end of the last leg, the first skill,
--          the first agent and the start of the first. is_served: a person or a bot wrote a line, in one of the legs.
-- Units:   instants; records of a person stand in the order of their starts.
-- Source:  StartReasonId and endReasonId of Conversation, through conversation_metrics; legs are ours.

with records as (
    select
        account_id,
        conversation_id,
        date,
        type,
        person_id,
        hash(account_id, person_id) as person_key,
        first_skill_id,
        first_agent_id,
        skill_id,
        agent_id,
        conversation_start_time,
        conversation_end_time,
        agent_line_count > 0 as is_served,
        start_reason_id in (2, 3) as is_taken_over,
        end_reason_id in (101, 106) as is_handed_on
    from conversation_metrics
),

-- Who has no record that started by a transfer has no legs: nobody looks at the order of those.
transferred as (
    select distinct person_key
    from records
    where is_taken_over and person_id is not null
),

ordered as (
    select
        *,
        coalesce(is_taken_over and lag(is_handed_on) over person, false) as is_leg,
        coalesce(is_handed_on and lead(is_taken_over) over person, false) as goes_on
    from records
    where person_id is not null and person_key in (select person_key from transferred)
    window person as (
        partition by account_id, person_id
        order by conversation_start_time nulls last, conversation_id, date
    )
),

numbered as (
    select
        *,
        count(*) filter (where not is_leg) over (
            partition by account_id, person_id
            order by conversation_start_time nulls last, conversation_id, date
        ) as contact_number
    from ordered
),

joined as (
    select
        * replace (
            first_value(first_skill_id) over contact as first_skill_id,
            first_value(first_agent_id) over contact as first_agent_id,
            first_value(conversation_start_time) over contact as conversation_start_time,
            bool_or(is_served) over contact as is_served
        ),
        count(*) over contact as leg_count
    from numbered
    window contact as (
        partition by account_id, person_id, contact_number
        order by conversation_start_time nulls last, conversation_id, date
        rows between unbounded preceding and unbounded following
    )
    qualify not goes_on
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
    1 as leg_count  -- Records of the conversation, one if it has no legs.
from records
where person_id is null or person_key not in (select person_key from transferred)
