-- Conversations of each skill, their waits and scores, and transfers from and to it, day by day.
-- Grain:   one row per account_id, date (UTC, of the conversation's start) and skill_id; a missing skill is a group
--          of its own.
-- Counts:  conversation columns: conversations whose last skill this was. transferred_out_count: transfers away from
--          this skill, transferred_in_count: transfers to it (one within the skill is in both). mcs_avg covers the
--          scored_count conversations with a score. The queue columns look at connected conversations with a queue
--          time only.
-- Units:   seconds, points of the source's MCS scale; percentiles are interpolated (quantile_cont).
-- Source:  skillId, mcs and times of Conversation, skillId and targetSkillId of Transfer.

with work as (
    select
        account_id,
        date,
        skill_id,
        'conversation' as kind,
        is_connected,
        connected_queue_milliseconds,
        chat_milliseconds,
        mcs
    from conversation_times
    union all
    select
        account_id,
        date,
        skill_id,
        'transferred out' as kind,
        null as is_connected,
        null as connected_queue_milliseconds,
        null as chat_milliseconds,
        null as mcs
    from transfer_times
    union all
    select
        account_id,
        date,
        target_skill_id as skill_id,
        'transferred in' as kind,
        null as is_connected,
        null as connected_queue_milliseconds,
        null as chat_milliseconds,
        null as mcs
    from transfer_times
)

select
    account_id,
    date,
    skill_id,  -- The skill; NULL: none.
    count(*) filter (where kind = 'conversation') as conversation_count,  -- Conversations whose last skill this was.
    count(*) filter (where is_connected) as connected_count,  -- Those connected to an agent.
    count(*) filter (where not is_connected) as abandoned_count,  -- Those that left before they were connected.
    abandoned_count / nullif(abandoned_count + connected_count, 0)
        as abandoned_share,  -- abandoned_count / (abandoned_count + connected_count).
    avg(connected_queue_milliseconds) / 1000 as queue_avg_seconds,  -- Mean wait of connected conversations.
    quantile_cont(connected_queue_milliseconds, 0.5) / 1000
        as queue_p50_seconds,  -- Median wait of connected conversations.
    quantile_cont(connected_queue_milliseconds, 0.9) / 1000
        as queue_p90_seconds,  -- Wait that 90 % of connected conversations did not exceed.
    avg(chat_milliseconds) / 1000 as chat_avg_seconds,  -- Mean time from connection to end.
    count(mcs) as scored_count,  -- Conversations with a score.
    avg(mcs order by mcs) as mcs_avg,  -- Mean score.
    count(*) filter (where kind = 'transferred out') as transferred_out_count,  -- Transfers away from the skill.
    count(*) filter (where kind = 'transferred in') as transferred_in_count  -- Transfers to the skill.
from work
group by account_id, date, skill_id
