-- Waits of visitors in queues, and the share who gave up, skill by skill.
-- Grain:   one row per account_id, skill_id whose queue it was, and type; queues of an unknown skill are one of their
--          own.
-- Counts:  all entries. abandoned_share is abandoned / (abandoned + answered). The queue columns look at answered
--          entries with a known wait, queued_count of them, longest_wait_seconds at all. The people columns say the
--          same of the entries that no bot had; is_bot is of the skill.
-- Units:   seconds; percentiles are interpolated (quantile_cont). All dates together.
-- Source:  queue_entries; abandonment as in Queue Health.

with queues as (
    select
        account_id,
        skill_id,
        type,
        count(*) as entry_count,
        count(*) filter (where outcome = 'answered') as answered_count,
        count(*) filter (where outcome = 'abandoned') as abandoned_count,
        count(*) filter (where outcome = 'moved') as moved_count,
        abandoned_count / nullif(abandoned_count + answered_count, 0)
            as abandoned_share,
        count(answered_milliseconds) as queued_count,
        avg(answered_milliseconds) / 1000
            as queue_avg_seconds,
        quantile_cont(answered_milliseconds, 0.5) / 1000
            as queue_p50_seconds,
        quantile_cont(answered_milliseconds, 0.9) / 1000
            as queue_p90_seconds,
        max(answered_milliseconds) / 1000 as queue_max_seconds,
        max(wait_milliseconds) / 1000 as longest_wait_seconds,
        coalesce(sum(answered_milliseconds), 0) / 1000 as queue_sum_seconds,
        count(*) filter (where not is_bot) as people_entry_count,
        count(*) filter (where not is_bot and outcome = 'answered')
            as people_answered_count,
        count(*) filter (where not is_bot and outcome = 'abandoned')
            as people_abandoned_count,
        people_abandoned_count / nullif(people_abandoned_count + people_answered_count, 0)
            as people_abandoned_share,
        count(answered_milliseconds) filter (where not is_bot)
            as people_queued_count,
        coalesce(sum(answered_milliseconds) filter (where not is_bot), 0) / 1000
            as people_queue_sum_seconds,
        avg(answered_milliseconds) filter (where not is_bot) / 1000
            as people_queue_avg_seconds,
        quantile_cont(answered_milliseconds, 0.5) filter (where not is_bot) / 1000
            as people_queue_p50_seconds,
        quantile_cont(answered_milliseconds, 0.9) filter (where not is_bot) / 1000
            as people_queue_p90_seconds,
        max(answered_milliseconds) filter (where not is_bot) / 1000
            as people_queue_max_seconds
    from named_entries
    group by account_id, skill_id, type
)

select
    queue.account_id,  -- The LivePerson account.
    queue.skill_id,  -- Skill whose queue it was.
    queue.type,
    queue.entry_count,  -- Entries into queues.
    queue.answered_count,  -- Entries that an agent or a bot answered.
    queue.abandoned_count,  -- Entries in which the visitor gave up.
    queue.moved_count,  -- Entries that a transfer moved on.
    queue.abandoned_share,  -- abandoned_count / (abandoned_count + answered_count).
    queue.queued_count,  -- Answered entries with a known wait.
    queue.queue_avg_seconds,  -- Mean wait of answered entries: queue_sum_seconds / queued_count.
    queue.queue_p50_seconds,  -- Median wait of the queued_count answered entries.
    queue.queue_p90_seconds,  -- Wait that 90 % of the queued_count answered entries did not exceed.
    queue.queue_max_seconds,  -- Longest wait of an answered entry.
    queue.longest_wait_seconds,  -- Longest wait of any entry: answered, abandoned or moved.
    queue.queue_sum_seconds,  -- Sum of the waits of answered entries.
    queue.people_entry_count,  -- Entries of visitors into queues of people.
    queue.people_answered_count,  -- Entries of people that were answered.
    queue.people_abandoned_count,  -- Entries of people that were abandoned.
    queue.people_abandoned_share,  -- people_abandoned_count / (people_abandoned_count + people_answered_count).
    queue.people_queued_count,  -- Answered entries of people with a known wait.
    queue.people_queue_sum_seconds,  -- Sum of the waits of answered entries of people.
    queue.people_queue_avg_seconds,  -- Mean wait: people_queue_sum_seconds / people_queued_count.
    queue.people_queue_p50_seconds,  -- Median wait of the people_queued_count answered entries.
    queue.people_queue_p90_seconds,  -- Wait that 90 % of the people_queued_count answered entries did not exceed.
    queue.people_queue_max_seconds,  -- Longest wait of an answered entry of people.
    skill.skill_name,  -- Name of the skill; NULL: it has none.
    skill.skill_group,  -- Group of the skill; NULL: it has none.
    coalesce(skill.is_bot, false) as is_bot  -- True for a skill in which bots answer, no people.
from queues as queue
left join skill_names as skill
    on queue.account_id = skill.account_id
    and queue.skill_id = skill.skill_id
