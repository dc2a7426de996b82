-- Conversations that began with a bot, and the first person who took over. How: segments that follow a bot's first one
-- are looked up, and the earliest that is not a bot's is the person's.
-- Grain:   one row per conversation whose first segment is a bot's; none where no bot is named. Of legs of one
--          conversation there is one row for all, that of the first leg.
-- Counts:  a segment is a bot's by is_bot of its agent in agents.csv, else of its skill in skills.csv, else a
--          person's. gave_up: no person had it, and the visitor left a queue of people.
-- Units:   seconds; NULL where no person had it, an end is missing, or the time would be negative. person_wait counts
--          from the conversation's start, handover_wait from the end of the segment before the person's.
-- Source:  ours; segments, queue_entries and conversation_metrics, through conversation_legs.

with joined as materialized (
    select *
    from conversation_legs
),

parts as not materialized (
    select
        account_id, conversation_id, conversation_date, skill_id, skill_name, agent_id, agent_name, is_bot,
        assigned_time, ended_time, segment_number, is_last
    from named_segments as segment
    anti join joined
        on segment.account_id is not distinct from joined.account_id
        and segment.conversation_id = joined.conversation_id
        and segment.conversation_date = joined.date
    union all
    select
        segment.account_id, joined.contact_id, joined.contact_date, segment.skill_id, segment.skill_name,
        segment.agent_id, segment.agent_name, segment.is_bot, segment.assigned_time, segment.ended_time,
        row_number() over (
            partition by joined.account_id, joined.contact_id, joined.contact_date
            order by joined.leg_number, segment.segment_number
        ),
        false
    from named_segments as segment
    join joined
        on segment.account_id is not distinct from joined.account_id
        and segment.conversation_id = joined.conversation_id
        and segment.conversation_date = joined.date
),

begun as not materialized (
    select account_id, conversation_id, conversation_date, skill_id, skill_name, agent_id, agent_name
    from parts
    where segment_number = 1 and is_bot
),

later as (
    select
        segment.account_id,
        segment.conversation_id,
        segment.conversation_date,
        segment.segment_number,
        segment.skill_id,
        segment.skill_name,
        segment.agent_id,
        segment.agent_name,
        segment.assigned_time,
        segment.is_bot,
        lag(segment.ended_time) over (
            partition by segment.conversation_date, segment.conversation_id, segment.account_id
            order by segment.segment_number
        ) as handed_over_time
    from parts as segment
    where segment.segment_number > 1 or not segment.is_last
),

people as (
    select *
    from later
    where not is_bot
    qualify row_number() over (
        partition by conversation_date, conversation_id, account_id
        order by segment_number
    ) = 1
),

waited as (
    select distinct
        entry.account_id,
        coalesce(joined.contact_id, entry.conversation_id) as conversation_id,
        coalesce(joined.contact_date, entry.conversation_date) as conversation_date
    from named_entries as entry
    left join joined
        on entry.account_id is not distinct from joined.account_id
        and entry.conversation_id = joined.conversation_id
        and entry.conversation_date = joined.date
    where entry.outcome = 'abandoned' and not entry.is_bot
)

select
    conversation.account_id,  -- The LivePerson account.
    conversation.conversation_id,  -- The conversation.
    conversation.date,  -- UTC day on which the conversation started.
    conversation.type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    conversation.conversation_start_time,
    begun.skill_id,  -- Skill of the bot's segment.
    begun.skill_name,  -- Name of the skill of the bot's segment; NULL: it has none.
    begun.agent_id,  -- Agent of the bot's segment.
    begun.agent_name,  -- Name of the agent of the bot's segment; NULL: it has none.
    person.conversation_id is not null as reached_person,  -- A person had the conversation.
    person.skill_id as person_skill_id,  -- Skill of the first segment of a person.
    person.skill_name as person_skill_name,  -- Name of the skill of the first segment of a person; NULL: it has none.
    person.agent_id as person_agent_id,  -- First person who had the conversation; NULL: not known.
    person.agent_name as person_agent_name,  -- Name of the first person who had the conversation; NULL: there is none.
    person.assigned_time as person_time,  -- The first person had the conversation.
    case
        when person.assigned_time >= conversation.conversation_start_time
            then epoch_ms(person.assigned_time) - epoch_ms(conversation.conversation_start_time)
    end as person_wait_milliseconds,  -- From the conversation's start to the first person.
    person_wait_milliseconds / 1000 as person_wait_seconds,  -- From the conversation's start to the first person.
    case
        when person.assigned_time >= person.handed_over_time
            then epoch_ms(person.assigned_time) - epoch_ms(person.handed_over_time)
    end as handover_wait_milliseconds,  -- From the bot's end to the first person.
    handover_wait_milliseconds / 1000 as handover_wait_seconds,  -- From the bot's end to the first person.
    not reached_person and waited.conversation_id is not null
        as gave_up,  -- No person had the conversation, and the visitor left a queue of people.
    conversation.time_zone  -- Name of the time zone.
from begun
join named_conversations as conversation
    on begun.account_id is not distinct from conversation.account_id
    and begun.conversation_id = conversation.conversation_id
    and begun.conversation_date = conversation.date
left join people as person
    on begun.account_id is not distinct from person.account_id
    and begun.conversation_id = person.conversation_id
    and begun.conversation_date = person.conversation_date
left join waited
    on conversation.account_id is not distinct from waited.account_id
    and conversation.conversation_id = waited.conversation_id
    and conversation.date = waited.conversation_date
