-- Skills with their names: every skill that the lake has met, and those of skills.csv.
-- Grain:   one row per account_id and skill_id.
-- Counts:  skills of conversations, of transfers from and to, of queue entries, and of skills.csv. is_bot is false
--          where skills.csv does not say.
-- Units:   last_date is a day (UTC) of a conversation's start.
-- Source:  ours; skill_id and target_skill_id of the tables, and skill_names.

with moves as (
    select account_id, skill_id, target_skill_id, max(date) as last_date
    from transfers
    group by account_id, skill_id, target_skill_id
),

met as (
    select account_id, skill_id, 0 as entry_count, max(date) as last_date
    from conversations
    group by account_id, skill_id
    union all
    select account_id, skill_id, 0, last_date
    from moves
    union all
    select account_id, target_skill_id, 0, last_date
    from moves
    union all
    select account_id, skill_id, count(*), max(date)
    from queue_entries
    group by account_id, skill_id
    union all
    select account_id, skill_id, 0, null
    from skill_names
),

known as (
    select
        account_id,
        skill_id,
        sum(entry_count)::bigint as entry_count,
        max(last_date) as last_date
    from met
    where skill_id is not null
    group by account_id, skill_id
)

select
    known.account_id,  -- The LivePerson account.
    known.skill_id,  -- The skill.
    skill.skill_name,  -- Name of the skill; NULL: it has none.
    coalesce(skill.is_bot, false) as is_bot,  -- True for a skill of bots; false where skills.csv does not say.
    skill.skill_group,  -- Group of the skill; NULL: it has none.
    known.entry_count,  -- Entries into queues.
    known.last_date  -- Newest day with a conversation of the row; NULL: it has none.
from known
left join skill_names as skill
    on known.account_id = skill.account_id
    and known.skill_id = skill.skill_id
