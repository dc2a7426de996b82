-- A visitor waited longer than longest_queue_hours. That is taken for an error of the source: it is not in
-- queue_length, but in every mean and percentile of queue times. If such waits are real, as with messaging over a
-- weekend, raise the setting.
-- Returns: one row per conversation or transfer, with its wait.

select
    account_id,
    date,
    is_transfer,
    entered_time,
    left_time,
    (epoch_ms(left_time) - epoch_ms(entered_time)) / 1000 as queue_seconds
from entry_parts
where left_time > entered_time and not is_valid
