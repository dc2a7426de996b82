-- A visitor waited longer than longest_queue_hours. That is taken for an error of the source: it is not in
-- queue_length, but in every mean and percentile of queue times. If such waits are real, as with messaging over a
-- weekend, raise the setting.
-- Returns: one row per entry into a queue, with its wait.

select
    account_id,
    conversation_id,
    conversation_date as date,
    entry_number,
    skill_id,
    entered_time,
    left_time,
    wait_milliseconds / 1000 as queue_seconds
from named_entries
where wait_milliseconds is not null and not is_likely
