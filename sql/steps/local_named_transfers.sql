-- As named_transfers, with the day, week and month of the conversation's start on the account's clocks.
-- Grain:   one row per row of transfers.
-- Counts:  all transfers, by the start of their conversation.
--          Where that time is missing, before 2015 and after 2045 local days are those of date.
-- Units:   as in named_transfers; a week is that of ISO 8601, by its Monday; a month goes by its first day.
--          local_time is the time on the account's clocks.
-- Source:  ours; named_transfers and the table utc_offsets.

with located as (
    select
        transfer.*,
        make_timestamp(epoch_us(transfer.conversation_start_time) + clock.offset_seconds * 1_000_000) as local_time
    from named_transfers as transfer
    left join utc_offsets as clock
        on transfer.time_zone = clock.time_zone
        and year(make_timestamp(epoch_us(transfer.conversation_start_time))) = clock.year
        and transfer.conversation_start_time >= clock.from_time
        and transfer.conversation_start_time < clock.until_time
)

select
    * exclude (time_zone, local_time),
    local_time,  -- Time of the conversation's start on the account's clocks.
    coalesce(local_time::date, date) as local_date,  -- Day of the conversation's start on the account's clocks.
    local_date - isodow(local_date)::integer + 1
        as local_week,  -- Monday of the week of the conversation's start, on the account's clocks.
    local_date - day(local_date)::integer + 1
        as local_month  -- First day of the month of the conversation's start, on the account's clocks.
from located
