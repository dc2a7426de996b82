-- Waits in the queue of each skill, who gave up and who was answered in time, day by day.
-- Grain:   one row per account_id, date (UTC, of entering), skill_id, type and is_bot with an entry.
-- Counts:  all entries. abandoned_share = abandoned / (abandoned + answered). service_level_share = within / (answered
--          + abandoned - short), as in service_level_daily. The queue columns look at answered entries with a known
--          wait, queued_count of them, longest_wait_seconds at all.
-- Units:   seconds; percentiles are interpolated (quantile_cont); shares from 0 to 1, NULL where the denominator is 0.
-- Source:  queue_entries; service level and abandonment as in service_level_daily and abandonment_daily.
-- Twins:   local_date, local_week, local_month

with queues as (
    select
        account_id,
        date,
        skill_id,
        type,
        is_bot,
        count(*) as entry_count,
        count(*) filter (where outcome = 'answered') as answered_count,
        count(*) filter (where outcome = 'abandoned') as abandoned_count,
        count(*) filter (where outcome = 'moved') as moved_count,
        count(*) filter (where answered_milliseconds <= service_level_milliseconds) as within_count,
        count(*) filter (where outcome = 'abandoned' and wait_milliseconds < short_abandon_milliseconds)
            as short_abandon_count,
        count(answered_milliseconds) as queued_count,
        coalesce(sum(answered_milliseconds), 0) / 1000 as queue_sum_seconds,
        avg(answered_milliseconds) / 1000 as queue_avg_seconds,
        quantile_cont(answered_milliseconds, 0.5) / 1000 as queue_p50_seconds,
        quantile_cont(answered_milliseconds, 0.9) / 1000 as queue_p90_seconds,
        max(answered_milliseconds) / 1000 as queue_max_seconds,
        max(wait_milliseconds) / 1000 as longest_wait_seconds
    from named_entries
    group by account_id, date, skill_id, type, is_bot
)

select
    queue.account_id,  -- The LivePerson account.
    queue.date,
    queue.skill_id,  -- Skill whose queue it was.
    skill.skill_name,  -- Name of the skill; NULL: it has none.
    queue.type,
    queue.is_bot,  -- A bot's: by agents.csv of the agent who answered, else by skills.csv.
    queue.entry_count,  -- Entries into queues.
    queue.answered_count,  -- Entries that an agent or a bot answered.
    queue.abandoned_count,  -- Entries in which the visitor gave up.
    queue.moved_count,  -- Entries that a transfer moved on.
    queue.abandoned_count / nullif(queue.abandoned_count + queue.answered_count, 0)
        as abandoned_share,  -- abandoned_count / (abandoned_count + answered_count).
    queue.within_count,  -- Entries that were answered within service_level_seconds.
    queue.short_abandon_count,  -- Entries that were abandoned sooner than short_abandon_seconds.
    queue.within_count / nullif(queue.answered_count + queue.abandoned_count - queue.short_abandon_count, 0)
        as service_level_share,  -- within_count / (answered_count + abandoned_count - short_abandon_count).
    queue.queued_count,  -- Answered entries with a known wait.
    queue.queue_sum_seconds,  -- Sum of the waits of answered entries.
    queue.queue_avg_seconds,  -- Mean wait of answered entries: queue_sum_seconds / queued_count.
    queue.queue_p50_seconds,  -- Median wait of the queued_count answered entries.
    queue.queue_p90_seconds,  -- Wait that 90 % of the queued_count answered entries did not exceed.
    queue.queue_max_seconds,  -- Longest wait of an answered entry.
    queue.longest_wait_seconds  -- Longest wait of any entry: answered, abandoned or moved.
from queues as queue
left join skill_names as skill
    on queue.account_id = skill.account_id
    and queue.skill_id = skill.skill_id
