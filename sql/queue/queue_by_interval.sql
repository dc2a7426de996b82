-- Entries into the queue of each skill, interval by interval: offered, answered, abandoned, in time.
-- Grain:   one row per account_id, skill_id, type, is_bot and interval_start with an entry; entries without a time are
--          in none.
-- Counts:  offered_count: all entries by the time of entering; answered_count, abandoned_count and moved_count of them.
--          within_count: answered within service_level_seconds. short_abandon_count: abandoned sooner than
--          short_abandon_seconds. The service level of any sum of rows is within / (answered + abandoned - short).
-- Units:   seconds. interval_start is the interval's beginning, local_start_time what the account's clocks show then,
--          local_date its day, interval_minutes the interval's length. queue_sum_seconds adds up the waits of
--          queued_count answered entries, so that the mean of any rows is sum(queue_sum_seconds) / sum(queued_count).
-- Source:  offered, answered and abandoned as workforce management counts them; queue_entries.

with queues as (
    select
        account_id,
        skill_id,
        type,
        is_bot,
        interval_minutes,
        floor(epoch_ms(entered_time) / (60_000 * interval_minutes))::bigint * interval_minutes * 60 as start_seconds,
        min(local_start_time) as local_start_time,
        count(*) as offered_count,
        count(*) filter (where outcome = 'answered') as answered_count,
        count(*) filter (where outcome = 'abandoned') as abandoned_count,
        count(*) filter (where outcome = 'moved') as moved_count,
        count(*) filter (where answered_milliseconds <= service_level_milliseconds) as within_count,
        count(*) filter (where outcome = 'abandoned' and wait_milliseconds < short_abandon_milliseconds)
            as short_abandon_count,
        count(answered_milliseconds) as queued_count,
        coalesce(sum(answered_milliseconds), 0) / 1000 as queue_sum_seconds,
        max(wait_milliseconds) / 1000 as longest_wait_seconds
    from local_named_entries
    where entered_time is not null
    group by account_id, skill_id, type, is_bot, interval_minutes, start_seconds
)

select
    queue.account_id,  -- The LivePerson account.
    queue.skill_id,  -- Skill whose queue it was.
    skill.skill_name,  -- Name of the skill; NULL: it has none.
    queue.type,
    queue.is_bot,  -- A bot's: by agents.csv of the agent who answered, else by skills.csv.
    to_timestamp(queue.start_seconds) as interval_start,  -- Start of the interval.
    queue.local_start_time,
    queue.local_start_time::date as local_date,  -- Day on the account's clocks.
    queue.interval_minutes,
    queue.offered_count,  -- Entries into the queue during the interval.
    queue.answered_count,  -- Entries that an agent or a bot answered.
    queue.abandoned_count,  -- Entries in which the visitor gave up.
    queue.moved_count,  -- Entries that a transfer moved on.
    queue.within_count,  -- Entries that were answered within service_level_seconds.
    queue.short_abandon_count,  -- Entries that were abandoned sooner than short_abandon_seconds.
    queue.queued_count,  -- Answered entries with a known wait.
    queue.queue_sum_seconds,  -- Sum of the waits of answered entries.
    queue.longest_wait_seconds  -- Longest wait of any entry: answered, abandoned or moved.
from queues as queue
left join skill_names as skill
    on queue.account_id = skill.account_id
    and queue.skill_id = skill.skill_id
