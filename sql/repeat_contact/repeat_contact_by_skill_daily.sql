-- People who came back after a served conversation, by the skill that ended the first one.
-- Grain:   one row per account_id, date (UTC, of the conversation's end), skill_id and type with a served conversation
--          that ended; those without a skill are a group of their own.
-- Counts:  as in repeat_contact_daily, of served conversations of a known person. The skill is the last one of the
--          conversation that was followed, or not, by another.
-- Units:   shares from 0 to 1, NULL where judged_count is 0.
-- Source:  repeat contact as in Analytics Builder, through closed_contacts.
-- Twins:   local_date, local_week, local_month, all_dates

select
    contact.account_id,  -- The LivePerson account.
    contact.date,
    contact.skill_id,  -- The conversation's last skill.
    any_value(skill.skill_name) as skill_name,  -- Name of the skill; NULL: it has none.
    contact.type,
    count(*) as closed_count,  -- Served conversations with an end and a known person.
    count(*) filter (where is_judged) as judged_count,  -- Conversations of closed_count observed for resolution_hours.
    count(*) filter (where is_repeated)
        as repeated_count,  -- Conversations of judged_count whose person came back within resolution_hours.
    repeated_count / nullif(judged_count, 0) as repeated_share,  -- repeated_count / judged_count.
    judged_count - repeated_count
        as resolved_count,  -- Conversations of judged_count whose person did not come back within resolution_hours.
    resolved_count / nullif(judged_count, 0) as resolved_share,  -- resolved_count / judged_count.
    count(*) filter (where is_same_skill)
        as same_skill_count,  -- Conversations of repeated_count whose person came back to the skill that ended it.
    same_skill_count / nullif(judged_count, 0) as same_skill_share  -- same_skill_count / judged_count.
from closed_contacts as contact
left join skill_names as skill
    on contact.account_id = skill.account_id
    and contact.skill_id = skill.skill_id
where is_served and has_person
group by contact.account_id, contact.date, contact.skill_id, contact.type
