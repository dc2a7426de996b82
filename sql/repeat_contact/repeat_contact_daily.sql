-- Number of visitors who came back after a conversation, and the share of conversations that settled the matter. How: a
-- conversation counts on the day of its end, once it was observed for resolution_hours. It is resolved unless the
-- person started another one by then.
-- Grain:   one row per account_id, date (UTC, of the conversation's end), type and ended_with_bot with a
--          conversation that ended.
-- Counts:  ended_with_bot: a bot had the conversation last, and the visitor did not give up in a queue of people; so
--          those that bots settled are apart. closed_count: served conversations (a person or bot wrote a line) with an
--          end and a person. judged_count: those observed for at
--          least resolution_hours, the others are too young to tell and in no column that follows. repeated_count:
--          judged, and the person came back within resolution_hours; same_skill_count: to the skill that ended it.
--          Those never served are unserved_count alone, and never resolved.
-- Units:   shares from 0 to 1, NULL where judged_count is 0. Coverage: unknown_person_count served conversations have
--          no person.
-- Source:  resolution rate, 0 to 3 days, and repeat contact as in Analytics Builder.
-- Twins:   local_date, local_week, local_month

select
    account_id,  -- The LivePerson account.
    date,
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
group by account_id, date, type, ended_with_bot
