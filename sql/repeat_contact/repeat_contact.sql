-- Conversations with the time until the same person came back.
-- Grain:   one row per conversation with an end and a person.
-- Counts:  the person is the consumer_id, where that is missing the visitor_id (person_kind says which); conversations
--          with neither are left out. The next conversation is the person's first in the account that starts after the
--          end of this one, and after its start. repeat_band is the number of the band of repeat_bounds_hours, from 1;
--          NULL where the person did not come back in the last one.
-- Units:   seconds from the end to the next start. observed_seconds: from the end to where the data reaches, the newest
--          end of a loaded file's hour, else the newest start: a person may come back after that, so look at
--          conversations only that were observed as long as the time you ask about. is_same_skill: the next one has the
--          same last skill; NULL where one of the two has none.
-- Source:  repeat contact as in Analytics Builder; consumerId of Conversation, visitorId of VisitorHeader.

with people as (
    select
        account_id,
        conversation_id,
        date,
        coalesce(consumer_id, visitor_id) as person_id,
        case when consumer_id is null then 'visitor' else 'consumer' end as person_kind,
        skill_id,
        conversation_start_time,
        conversation_end_time
    from conversations
    where coalesce(consumer_id, visitor_id) is not null
),

-- Ends and starts in one row of time: what follows an end is found without comparing conversations in pairs. A start in
-- the very millisecond of an end stands before it, and with it the conversation's own.
moments as (
    select *, conversation_start_time as at_time, false as is_end
    from people
    union all
    -- A conversation whose end was sent as before its start does not follow itself.
    select *, greatest(conversation_end_time, conversation_start_time) as at_time, true as is_end
    from people
    where conversation_end_time is not null
),

followed as (
    select
        *,
        first_value(
            case when not is_end then {'started': at_time, 'skill_id': skill_id} end ignore nulls
        ) over (
            partition by account_id, person_kind, person_id
            order by at_time, is_end, conversation_id, date
            rows between 1 following and unbounded following
        ) as next_conversation
    from moments
    where at_time is not null
),

reach as (
    select account_id, max(scope_end_time) as scope_end_time
    from files
    where status = 'loaded'
    group by account_id
),

newest as (
    select account_id, max(conversation_start_time) as start_time
    from conversations
    group by account_id
),

gaps as (
    select
        followed.account_id,
        followed.conversation_id,
        followed.date,
        followed.person_kind,
        followed.skill_id,
        followed.conversation_end_time,
        followed.next_conversation.started as next_start_time,
        epoch_ms(next_start_time) - epoch_ms(followed.conversation_end_time) as repeat_milliseconds,
        followed.next_conversation.skill_id = followed.skill_id as is_same_skill,
        epoch_ms(coalesce(reach.scope_end_time, newest.start_time)) - epoch_ms(followed.conversation_end_time)
            as observed_milliseconds,
        rules.repeat_bounds_hours as bounds,
        case
            when repeat_milliseconds is not null
                then len(list_filter(bounds, lambda bound: bound * 3_600_000 < repeat_milliseconds)) + 1
        end as band
    from followed
    left join reach on followed.account_id is not distinct from reach.account_id
    left join newest on followed.account_id is not distinct from newest.account_id
    join account_rules as rules
        on rules.account_id is not distinct from rules_account(followed.account_id)
    where followed.is_end
)

select
    account_id,  -- The LivePerson account.
    conversation_id,
    date,
    person_kind,  -- consumer or visitor: the id that tells the person.
    skill_id,
    conversation_end_time,
    next_start_time,  -- Start of the person's next conversation.
    repeat_milliseconds / 1000 as repeat_seconds,  -- From the end to that start.
    case when band <= len(bounds) then band end as repeat_band,  -- Number of the band that the time falls in, from 1.
    bounds[band] as repeat_bound_hours,  -- Upper bound of that band.
    is_same_skill,  -- The next conversation has the same last skill.
    observed_milliseconds / 1000 as observed_seconds  -- From the end to where the data reaches.
from gaps
