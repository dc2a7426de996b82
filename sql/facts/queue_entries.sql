-- Each time a visitor entered a queue: at the start of a conversation, and at each transfer into one.
-- Grain:   one row per entry: every conversation has number 1, and one more for each transfer with a queue_start_time.
-- Counts:  outcome is exactly one of answered, moved (on by a transfer), abandoned, unknown. skill_id is whose queue it
--          was, agent_id who answered. entered_date is the UTC date of entering, else that of the conversation.
-- Units:   wait_milliseconds from entering to leaving; NULL where an end is missing or the time would be negative.
-- Source:  queueStartTime, queueEndTime of Conversation and Transfer, through stages.

select
    stage.delivery_key,
    row_number() over (partition by stage.delivery_key order by stage.stage_number) as entry_number,
    stage.is_transfer,
    stage.skill_id,
    stage.entered_time,
    coalesce(make_timestamp(epoch_us(stage.entered_time))::date, conversation.date) as entered_date,
    stage.left_time,
    case
        when stage.left_time >= stage.entered_time then epoch_ms(stage.left_time) - epoch_ms(stage.entered_time)
    end as wait_milliseconds,
    stage.outcome,
    stage.agent_id
from stages as stage
join conversations as conversation on stage.delivery_key = conversation.delivery_key
where stage.is_entry
