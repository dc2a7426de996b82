-- Conversations that ended, with the same person's next one, and how long they were observed.
-- Grain:   one row per conversation with an end; legs of one conversation are one.
-- Counts:  all of them. The next conversation is the person's first in the account that starts after the end of this
--          one, and after its start; NULL where the person is not known. is_same_skill: the next one began with the
--          skill that ended this one; NULL where one of the two is not known. ended_with_bot: a bot had it last, and
--          the visitor did not give up in a queue of people. The SQL puts the starts and ends of a person who had
--          several conversations into one row of time, and looks from each end for the first start that follows; the
--          others have no next conversation. first_skill_id is that of the first leg.
-- Units:   milliseconds. observed: from the end to where the data reaches, the newest end of a loaded file's hour, else
--          the newest start.
-- Source:  contacts, skill_names, agent_names, and the ledger files.

with people as materialized (
    select *, hash(account_id, person_id) as person_key
    from contacts
),

-- A person with one conversation did not come back: the order of the others is all that has to be found.
returned as (
    select person_key
    from people
    where person_id is not null
    group by person_key
    having count(*) > 1
),

moments as (
    select people.*, conversation_start_time as at_time, false as is_end
    from people
    where person_id is not null and person_key in (select person_key from returned)
    union all
    -- A conversation whose end was sent as before its start does not follow itself.
    select people.*, greatest(conversation_end_time, conversation_start_time) as at_time, true as is_end
    from people
    where
        conversation_end_time is not null
        and person_id is not null
        and person_key in (select person_key from returned)
),

-- A start in the very millisecond of an end stands before it, and with it the conversation's own.
followed as (
    select
        *,
        first_value(
            case when not is_end then {'started': at_time, 'skill_id': first_skill_id} end ignore nulls
        ) over (
            partition by account_id, person_id
            order by at_time, is_end, conversation_id, date
            rows between 1 following and unbounded following
        ) as next_conversation
    from moments
    where at_time is not null
),

ended as (
    select
        account_id, conversation_id, date, type, person_id, first_skill_id, skill_id, agent_id, conversation_end_time,
        is_served, ended_in_queue, leg_count, next_conversation
    from followed
    where is_end
    union all
    select
        account_id, conversation_id, date, type, person_id, first_skill_id, skill_id, agent_id, conversation_end_time,
        is_served, ended_in_queue, leg_count, null as next_conversation
    from people
    where
        conversation_end_time is not null
        and (person_id is null or person_key not in (select person_key from returned))
),

loaded as (
    select account_id, max(scope_end_time) as end_time
    from files
    where status = 'loaded'
    group by account_id
),

reach as materialized (
    select newest.account_id, coalesce(any_value(loaded.end_time), max(newest.conversation_start_time)) as end_time
    from conversation_metrics as newest
    left join loaded on newest.account_id is not distinct from loaded.account_id
    group by newest.account_id
)

select
    ended.account_id,  -- The LivePerson account.
    ended.conversation_id,
    ended.date,
    ended.type,
    ended.person_id,
    ended.first_skill_id,
    first_skill.skill_name as first_skill_name,  -- Name of the first skill; NULL: it has none.
    ended.skill_id,  -- The conversation's last skill.
    skill.skill_name,  -- Name of the last skill; NULL: it has none.
    ended.agent_id,  -- The conversation's last agent.
    agent.agent_name,  -- Name of the last agent; NULL: it has none.
    case
        when ended.ended_in_queue then coalesce(skill.is_bot, false)
        else coalesce(agent.is_bot, skill.is_bot, false)
    end as ended_with_bot,  -- True where a bot had the conversation last, and the visitor did not give up in a queue
                            -- of people.
    ended.conversation_end_time,
    ended.is_served,  -- A person or a bot wrote a line.
    ended.leg_count,  -- Records of the conversation, one if it has no legs.
    ended.next_conversation.started as next_start_time,  -- Start of the person's next conversation.
    epoch_ms(next_start_time) - epoch_ms(ended.conversation_end_time)
        as repeat_milliseconds,  -- Time from the conversation's end to the next one's start.
    ended.next_conversation.skill_id = ended.skill_id
        as is_same_skill,  -- True where the next conversation began with the last skill of this one.
    epoch_ms(reach.end_time) - epoch_ms(ended.conversation_end_time)
        as observed_milliseconds  -- From the end to where the data reaches.
from ended
left join reach on ended.account_id is not distinct from reach.account_id
left join skill_names as first_skill
    on ended.account_id = first_skill.account_id
    and ended.first_skill_id = first_skill.skill_id
left join skill_names as skill
    on ended.account_id = skill.account_id
    and ended.skill_id = skill.skill_id
left join agent_names as agent
    on ended.account_id = agent.account_id
    and ended.agent_id = agent.agent_id
