-- As handled_conversations, with the day, week and month of the conversation's start on the account's clocks.
-- Grain:   one row per connected conversation.
-- Counts:  all of them. Where the start is missing, before 2015 and after 2045 local days are those of date.
-- Units:   as in handled_conversations; a week is that of ISO 8601, by its Monday; a month goes by its first day.
-- Source:  ours; handled_conversations and the table utc_offsets.

select
    conversation.*,
    coalesce(
        make_timestamp(epoch_us(conversation.conversation_start_time) + clock.offset_seconds * 1_000_000)::date,
        conversation.date
    ) as local_date,  -- Day of the conversation's start on the account's clocks.
    local_date - isodow(local_date)::integer + 1
        as local_week,  -- Monday of the week of the conversation's start, on the account's clocks.
    local_date - day(local_date)::integer + 1
        as local_month  -- First day of the month of the conversation's start, on the account's clocks.
from handled_conversations as conversation
left join utc_offsets as clock
    on conversation.time_zone = clock.time_zone
    and year(make_timestamp(epoch_us(conversation.conversation_start_time))) = clock.year
    and conversation.conversation_start_time >= clock.from_time
    and conversation.conversation_start_time < clock.until_time
