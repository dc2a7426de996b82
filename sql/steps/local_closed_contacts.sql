-- As closed_contacts, with the day, week and month of the end on the account's clocks.
-- Grain:   one row per conversation with an end; legs of one conversation are one.
-- Counts:  all of them. Before 2015 and after 2045 local days are those of date.
-- Units:   as in closed_contacts; a week is that of ISO 8601, by its Monday; a month goes by its first day.
-- Source:  ours; closed_contacts and the table utc_offsets.

select
    contact.*,
    coalesce(
        make_timestamp(epoch_us(contact.conversation_end_time) + clock.offset_seconds * 1_000_000)::date,
        contact.date
    ) as local_date,  -- Day of the conversation's end on the account's clocks.
    local_date - isodow(local_date)::integer + 1
        as local_week,  -- Monday of the week of the conversation's end, on the account's clocks.
    local_date - day(local_date)::integer + 1
        as local_month  -- First day of the month of the conversation's end, on the account's clocks.
from closed_contacts as contact
left join utc_offsets as clock
    on contact.time_zone = clock.time_zone
    and year(make_timestamp(epoch_us(contact.conversation_end_time))) = clock.year
    and contact.conversation_end_time >= clock.from_time
    and contact.conversation_end_time < clock.until_time
