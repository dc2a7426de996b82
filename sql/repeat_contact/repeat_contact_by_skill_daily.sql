-- People who came back after a conversation, by the skill that ended the first one.
-- Grain:   one row per account_id, date (UTC, of the conversation's end), skill_id, type and ended_with_bot with a
--          conversation that ended; those without a skill are a group of their own.
-- Counts:  as in repeat_contact_daily. The skill is the last one of the conversation that was followed, or not, by
--          another; ended_with_bot: a bot had that conversation last, and the visitor did not give up in a queue of
--          people. unserved_count: the visitor gave up before a person or a bot wrote.
-- Units:   shares from 0 to 1, NULL where judged_count is 0. Coverage: unknown_person_count served conversations have
--          no person.
-- Source:  repeat contact as in Analytics Builder, through closed_contacts.
-- Twins:   local_date, local_week, local_month, all_dates

select
    account_id,  -- The LivePerson account.
    date,
    skill_id,  -- The conversation's last skill.
    any_value(skill_name) as skill_name,  -- Name of the skill; NULL: it has none.
    type,
    ended_with_bot,
    count(*) filter (where is_served and has_person)
        as closed_count,  -- Served conversations with an end and a known person.
    count(*) filter (where not is_served)
        as unserved_count,  -- Conversations with an end in which neither a person nor a bot wrote a line.
    count(*) filter (where is_served and not has_person)
        as unknown_person_count,  -- Served conversations with an end and an unknown person.
    count(*) filter (where is_judged) as judged_count,  -- Conversations of closed_count observed for resolution_hours.
    count(*) filter (where is_repeated)
        as repeated_count,  -- Conversations of judged_count whose person came back within resolution_hours.
    repeated_count / nullif(judged_count, 0) as repeated_share,  -- repeated_count / judged_count.
    judged_count - repeated_count
        as resolved_count,  -- Conversations of judged_count whose person did not come back within resolution_hours.
    resolved_count / nullif(judged_count, 0) as resolved_share,  -- resolved_count / judged_count.
    count(*) filter (where is_same_skill_repeat)
        as same_skill_count,  -- Conversations of repeated_count whose person came back to the skill that ended it.
    same_skill_count / nullif(judged_count, 0) as same_skill_share  -- same_skill_count / judged_count.
from closed_contacts
group by account_id, date, skill_id, type, ended_with_bot
