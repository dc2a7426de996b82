-- As engagement_parts, cut at midnight on the account's clocks.
-- Grain:   one row per segment with an agent and a length above 0, and local day that it touches.
-- Counts:  as in engagement_parts. Segments that begin before 2015 or end after 2045 are left out.
-- Units:   milliseconds since 1970; a part ends where the next begins. A week goes by its Monday, a month by its first
--          day.
-- Source:  ours; local_named_segments and local_days.

with spans as (
    select
        account_id,
        type,
        agent_id,
        is_bot,
        time_zone,
        epoch_ms(assigned_time) as assigned_milliseconds,
        epoch_ms(ended_time) as ended_milliseconds,
        first_response_milliseconds,
        -- A local day begins most of a day before or after that of UTC; ten years bound the work for an end that is
        -- an error.
        unnest(
            range(
                assigned_milliseconds // 86_400_000 - 1,
                least((ended_milliseconds - 1) // 86_400_000 + 2, assigned_milliseconds // 86_400_000 + 3_653)
            )
        ) as day_number
    from named_segments
    where agent_id is not null and engaged_milliseconds > 0
),

days as (
    select
        time_zone,
        local_date,
        epoch_ms(local_date) // 86_400_000 as day_number,
        epoch_ms(start_time) as start_milliseconds,
        epoch_ms(end_time) as end_milliseconds
    from local_days
)

select
    spans.account_id,
    spans.type,
    spans.agent_id,
    spans.is_bot,
    days.local_date,  -- Day of the part on the account's clocks.
    days.local_date - isodow(days.local_date)::integer + 1
        as local_week,  -- Monday of the week of the part, on the account's clocks.
    days.local_date - day(days.local_date)::integer + 1
        as local_month,  -- First day of the month of the part, on the account's clocks.
    greatest(spans.assigned_milliseconds, days.start_milliseconds) as from_milliseconds,  -- Start of the part.
    least(spans.ended_milliseconds, days.end_milliseconds) as until_milliseconds,  -- End of the part.
    spans.assigned_milliseconds >= days.start_milliseconds
        as is_assigned,  -- The agent got the conversation in this part.
    case when is_assigned then spans.first_response_milliseconds end
        as first_response_milliseconds  -- From the assignment to the earliest agent line.
from spans
join days
    on spans.time_zone = days.time_zone
    and spans.day_number = days.day_number
    and spans.assigned_milliseconds < days.end_milliseconds
    and spans.ended_milliseconds > days.start_milliseconds
