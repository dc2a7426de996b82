-- Waits of visitors in queues, and the share who gave up, day by day.
-- Grain:   one row per account_id, date (UTC, of entering) and type with an entry.
-- Counts:  all entries. abandoned_share is abandoned / (abandoned + answered). The queue columns look at answered
--          entries with a known wait, queued_count of them, longest_wait_seconds at all. The people columns say the
--          same of the entries that no bot had.
-- Units:   seconds; percentiles are interpolated (quantile_cont).
-- Source:  queue_entries; abandonment as in Queue Health.
-- Twins:   local_date, local_week, local_month

select
    account_id,
    date,
    type,
    count(*) as entry_count,  -- Entries into queues.
    count(*) filter (where outcome = 'answered') as answered_count,  -- Entries that an agent or a bot answered.
    count(*) filter (where outcome = 'abandoned') as abandoned_count,  -- Entries in which the visitor gave up.
    count(*) filter (where outcome = 'moved') as moved_count,  -- Entries that a transfer moved on.
    abandoned_count / nullif(abandoned_count + answered_count, 0)
        as abandoned_share,  -- abandoned_count / (abandoned_count + answered_count).
    count(answered_milliseconds) as queued_count,  -- Answered entries with a known wait.
    avg(answered_milliseconds) / 1000
        as queue_avg_seconds,  -- Mean wait of answered entries: queue_sum_seconds / queued_count.
    quantile_cont(answered_milliseconds, 0.5) / 1000
        as queue_p50_seconds,  -- Median wait of the queued_count answered entries.
    quantile_cont(answered_milliseconds, 0.9) / 1000
        as queue_p90_seconds,  -- Wait that 90 % of the queued_count answered entries did not exceed.
    max(answered_milliseconds) / 1000 as queue_max_seconds,  -- Longest wait of an answered entry.
    max(wait_milliseconds) / 1000 as longest_wait_seconds,  -- Longest wait of any entry: answered, abandoned or moved.
    coalesce(sum(answered_milliseconds), 0) / 1000 as queue_sum_seconds,  -- Sum of the waits of answered entries.
    count(*) filter (where not is_bot) as people_entry_count,  -- Entries of visitors into queues of people.
    count(*) filter (where not is_bot and outcome = 'answered')
        as people_answered_count,  -- Entries of people that were answered.
    count(*) filter (where not is_bot and outcome = 'abandoned')
        as people_abandoned_count,  -- Entries of people that were abandoned.
    people_abandoned_count / nullif(people_abandoned_count + people_answered_count, 0)
        as people_abandoned_share,  -- people_abandoned_count / (people_abandoned_count + people_answered_count).
    count(answered_milliseconds) filter (where not is_bot)
        as people_queued_count,  -- Answered entries of people with a known wait.
    coalesce(sum(answered_milliseconds) filter (where not is_bot), 0) / 1000
        as people_queue_sum_seconds,  -- Sum of the waits of answered entries of people.
    avg(answered_milliseconds) filter (where not is_bot) / 1000
        as people_queue_avg_seconds,  -- Mean wait: people_queue_sum_seconds / people_queued_count.
    quantile_cont(answered_milliseconds, 0.5) filter (where not is_bot) / 1000
        as people_queue_p50_seconds,  -- Median wait of the people_queued_count answered entries.
    quantile_cont(answered_milliseconds, 0.9) filter (where not is_bot) / 1000
        as people_queue_p90_seconds,  -- Wait that 90 % of the people_queued_count answered entries did not exceed.
    max(answered_milliseconds) filter (where not is_bot) / 1000
        as people_queue_max_seconds  -- Longest wait of an answered entry of people.
from named_entries
group by account_id, date, type
