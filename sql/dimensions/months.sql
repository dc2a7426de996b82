-- The months of each account, on its own clocks: days whose data are there, and whether more can still come.
-- Grain:   one row per account_id and local_month with a day of calendar.
-- Counts:  days of the month whose data are there as a whole, as calendar_days has it.
-- Units:   local_month is the month's first day. is_provisional: a day of it is. A month compares with another if both
--          have day_count = expected_day_count and neither is provisional.
-- Source:  ours, through calendar_days.

select
    account_id,  -- The LivePerson account.
    month as local_month,  -- First day of the month on the account's clocks.
    count(*) filter (where is_whole) as day_count,  -- Days whose data are there as a whole.
    day(last_day(month)) as expected_day_count,  -- Days of the period, those without data too.
    bool_or(is_provisional) as is_provisional  -- Whether more conversations can still come.
from calendar_days
group by account_id, month
