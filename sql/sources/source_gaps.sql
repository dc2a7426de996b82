-- Hours without a loaded source file.
-- Grain:   one row per account_id and gap_start_time: a run of hours without a loaded file, between the first and the
--          last that has one.
-- Counts:  an hour without a file was quiet, or was not fetched: the source makes no file for a quiet hour.
-- Units:   instants, gap_end_time not included; gap_hour_count in whole hours.
-- Source:  ours; scope_start_time and scope_end_time of files.

with reached as (
    select
        account_id,
        scope_start_time,
        max(scope_end_time) over (
            partition by account_id order by scope_start_time, scope_end_time
            rows between unbounded preceding and 1 preceding
        ) as gap_start_time
    from files
    where status = 'loaded' and scope_start_time is not null and scope_end_time is not null
)

select
    account_id,
    gap_start_time,  -- Start of the first hour without a file.
    scope_start_time as gap_end_time,  -- Start of the next hour with a file.
    (epoch_ms(gap_end_time) - epoch_ms(gap_start_time)) // 3_600_000 as gap_hour_count  -- Hours without a file.
from reached
where scope_start_time > gap_start_time
