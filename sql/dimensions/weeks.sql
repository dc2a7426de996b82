-- The weeks of each account, on its own clocks: days whose data are there, and whether more can still come.
-- Grain:   one row per account_id and local_week with a day of calendar.
-- Counts:  days of the week whose data are there as a whole, as calendar_days has it.
-- Units:   local_week is the week's Monday. is_provisional: a day of it is. A week compares with another if both have
--          day_count = expected_day_count and neither is provisional.
-- Source:  ours, through calendar_days.

select
    account_id,  -- The LivePerson account.
    week as local_week,  -- Monday of the week on the account's clocks.
    count(*) filter (where is_whole) as day_count,  -- Days whose data are there as a whole.
    7::bigint as expected_day_count,  -- Days of the period, those without data too.
    bool_or(is_provisional) as is_provisional  -- Whether more conversations can still come.
from calendar_days
group by account_id, local_week
