-- Conversations that ended, and whether the person came back within resolution_hours.
-- Grain:   one row per conversation with an end; legs of one conversation are one.
-- Counts:  date is the UTC day of the end. is_judged: served, of a known person, and observed for resolution_hours at
--          least. is_repeated: judged, and the person came back by then; is_same_skill_repeat: to the skill that ended
--          it.
-- Units:   booleans, never NULL.
-- Source:  ours; followed_contacts and the setting resolution_hours.

select
    contact.account_id,  -- The LivePerson account.
    make_timestamp(epoch_us(contact.conversation_end_time))::date as date,  -- UTC day of the conversation's end.
    contact.type,
    contact.skill_id,
    contact.skill_name,
    contact.agent_id,
    contact.agent_name,
    contact.ended_with_bot,
    contact.conversation_end_time,
    contact.person_id is not null as has_person,  -- True where the person of the conversation is known.
    contact.is_served,  -- A person or a bot wrote a line.
    contact.is_served
    and has_person
    and coalesce(contact.observed_milliseconds >= rules.resolution_hours * 3_600_000, false)
        as is_judged,  -- Served, of a known person, and observed for resolution_hours.
    is_judged and coalesce(contact.repeat_milliseconds <= rules.resolution_hours * 3_600_000, false)
        as is_repeated,  -- Judged, and the person came back within resolution_hours.
    is_repeated and coalesce(contact.is_same_skill, false)
        as is_same_skill_repeat,  -- True where the person came back to the last skill.
    rules.time_zone  -- Name of the time zone.
from followed_contacts as contact
join account_rules as rules
    on rules.account_id is not distinct from rules_account(contact.account_id)
