-- Conversations with the time until the same person came back. How: the ends and starts of a person's conversations
-- stand in one row of time. After each end the first start that follows is the return.
-- Grain:   one row per conversation with an end and a person; legs of one conversation are one.
-- Counts:  the person is person_id, an id that is empty is no person. The next conversation is the person's first in
--          the account that starts after the end of this one, and after its start. is_served: a person or a bot wrote a
--          line. repeat_band is the number of the band of repeat_bounds_hours, from 1; NULL where the person did not
--          come back in the last one. The first skill is that of the conversation's start, of several legs the first
--          one's, a bot's too; skill_id and agent_id are those of its end.
-- Units:   seconds from the end to the next start. observed_seconds: from the end to where the data reaches, the newest
--          end of a loaded file's hour, else the newest start: a person may come back after that, so look at
--          conversations only that were observed as long as the time you ask about. is_same_skill: the next one began
--          with the skill that ended this one; NULL where one of the two is not known.
-- Source:  repeat contact as in Analytics Builder, through followed_contacts.

with bands as (
    select
        contact.*,
        rules.repeat_bounds_hours as bounds,
        case
            when contact.repeat_milliseconds is not null
                then len(list_filter(bounds, lambda bound: bound * 3_600_000 < contact.repeat_milliseconds)) + 1
        end as band
    from followed_contacts as contact
    join account_rules as rules
        on rules.account_id is not distinct from rules_account(contact.account_id)
    where contact.person_id is not null
)

select
    account_id,  -- The LivePerson account.
    conversation_id,  -- The conversation; of several legs the last one.
    date,
    type,
    person_id,
    first_skill_id,
    first_skill_name,
    skill_id,
    skill_name,
    agent_id,
    agent_name,
    ended_with_bot,
    leg_count,
    is_served,
    conversation_end_time,
    next_start_time,
    repeat_milliseconds / 1000 as repeat_seconds,  -- Time from the conversation's end to the next one's start.
    case when band <= len(bounds) then band end as repeat_band,  -- Number of the band that the time falls in, from 1.
    bounds[band] as repeat_bound_hours,  -- Upper bound of the band of repeat_seconds.
    is_same_skill,
    observed_milliseconds / 1000 as observed_seconds  -- From the end to where the data reaches.
from bands
