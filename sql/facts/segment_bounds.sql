-- From when to when each agent had a conversation.
-- Grain:   one row per stage that an agent took.
-- Counts:  segment_number counts from 1. bounce_count: in how many earlier runs of segments the conversation had this
--          skill: 0, 0, 1 for A B A, 0, 0 for A A.
-- Units:   instants; a segment ends with the next transfer, whether somebody took it or not, else with the
--          conversation.
-- Source:  segment as in Report Center, through stages.

with numbered as (
    select
        *,
        row_number() over conversation as segment_number,
        lead(stage_number) over conversation is null as is_last,
        lag(stage_number) over conversation is null
        or skill_id is distinct from lag(skill_id) over conversation as opens_run
    from stages
    where is_taken
    window conversation as (partition by delivery_key order by stage_number)
)

select
    delivery_key,
    segment_number,
    is_last,
    skill_id,
    agent_id,
    opened_time,
    assigned_time,
    ended_time,
    case
        when skill_id is null then 0
        else count(*) filter (where opens_run) over (
            partition by delivery_key, skill_id
            order by segment_number
        ) - 1
    end as bounce_count
from numbered
