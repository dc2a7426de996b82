-- Number of people who came back after a conversation, and the share of conversations that settled the matter.
-- Grain:   one row per account_id and end_date (UTC, of the conversation's end) with a conversation that ended.
-- Counts:  closed_count: conversations with an end and a person. judged_count: those observed for at least
--          resolution_hours, the others are too young to tell and in no column that follows. repeated_count: judged,
--          and the person came back within resolution_hours; same_skill_count: to the same skill. resolved_share = 1 -
--          repeated / judged.
-- Units:   shares from 0 to 1, NULL where judged_count is 0. Coverage: unknown_person_count conversations have neither
--          consumer nor visitor.
-- Source:  resolution rate, 0 to 3 days, and repeat contact as in Analytics Builder.

with closed as (
    select
        repeat_contact.account_id,
        make_timestamp(epoch_us(repeat_contact.conversation_end_time))::date as end_date,
        rules.resolution_hours * 3600 as resolution_seconds,
        coalesce(repeat_contact.observed_seconds >= resolution_seconds, false) as is_judged,
        is_judged and coalesce(repeat_contact.repeat_seconds <= resolution_seconds, false) as is_repeated,
        is_repeated and coalesce(repeat_contact.is_same_skill, false) as is_same_skill,
        true as has_person
    from repeat_contact
    join account_rules as rules
        on rules.account_id is not distinct from rules_account(repeat_contact.account_id)
    union all
    select
        account_id,
        make_timestamp(epoch_us(conversation_end_time))::date as end_date,
        null as resolution_seconds,
        false as is_judged,
        false as is_repeated,
        false as is_same_skill,
        false as has_person
    from conversations
    where consumer_id is null and visitor_id is null and conversation_end_time is not null
)

select
    account_id,  -- The LivePerson account.
    end_date,  -- UTC date of the conversation's end.
    count(*) filter (where has_person) as closed_count,  -- Conversations with an end and a known person.
    count(*) filter (where not has_person) as unknown_person_count,  -- Conversations with an end and an unknown person.
    count(*) filter (where is_judged) as judged_count,  -- Those of closed_count observed for resolution_hours.
    count(*) filter (where is_repeated) as repeated_count,  -- Those of judged_count whose person came back by then.
    repeated_count / nullif(judged_count, 0) as repeated_share,  -- repeated_count / judged_count.
    1 - repeated_share as resolved_share,  -- 1 - repeated_share.
    count(*) filter (where is_same_skill)
        as same_skill_count,  -- Those of repeated_count that came back to the same skill.
    same_skill_count / nullif(judged_count, 0) as same_skill_share  -- same_skill_count / judged_count.
from closed
group by account_id, end_date
