-- The parts of a conversation: each assignment of an agent and each transfer opens one.
-- Grain:   one row per segment: a connected conversation has one, and one more per row of transfers.
-- Counts:  segment_number counts from 1. agent_id and skill_id: of a segment that a transfer closed those that the
--          transfer left, of the last one those of the conversation. agent_id is NULL where no agent took the transfer:
--          it has entered a queue and not left it by a connection. bounce_count: earlier segments of the conversation
--          with the same skill.
-- Units:   instants. segment_start_time is the connection or the transfer, assigned_time when the agent had it: after
--          the transfer's queue, if it had one. segment_end_time is the next transfer or the conversation's end.
-- Source:  segment as in Report Center; Conversation and Transfer.

with openings as (
    select
        account_id,
        conversation_id,
        date,
        0 as segment_place,
        interaction_start_time as segment_start_time,
        interaction_start_time as assigned_time,
        true as is_taken,
        null::varchar as left_agent_id,
        null::bigint as left_skill_id,
        agent_id as last_agent_id,
        skill_id as last_skill_id,
        conversation_end_time
    from conversation_times
    where is_connected
    union all
    select
        account_id,
        conversation_id,
        date,
        position + 1 as segment_place,
        timestamp as segment_start_time,
        case when queue_start_time is null then coalesce(queue_end_time, timestamp) else queue_end_time end
            as assigned_time,
        assigned_time is not null as is_taken,
        agent_id as left_agent_id,
        skill_id as left_skill_id,
        null as last_agent_id,
        null as last_skill_id,
        null as conversation_end_time
    from transfers
),

parts as (
    select
        account_id,
        conversation_id,
        date,
        segment_place,
        segment_start_time,
        assigned_time,
        row_number() over conversation as segment_number,
        row_number() over conversation = count(*) over whole as is_last,
        first_value(segment_place) over conversation = 0 as is_connected,
        case
            when not is_taken then null
            when is_last then first_value(last_agent_id) over conversation
            else lead(left_agent_id) over conversation
        end as agent_id,
        case
            when is_last then first_value(last_skill_id) over conversation
            else lead(left_skill_id) over conversation
        end as skill_id,
        case
            when is_last then first_value(conversation_end_time) over conversation
            else lead(segment_start_time) over conversation
        end as segment_end_time
    from openings
    window
        conversation as (partition by date, conversation_id, account_id order by segment_place),
        whole as (partition by date, conversation_id, account_id)
)

select
    account_id,
    conversation_id,  -- The conversation.
    date,
    segment_number,  -- Place of the segment in the conversation, from 1.
    is_last,  -- The conversation's last segment.
    agent_id,  -- The agent of the segment; NULL: not taken.
    skill_id,  -- Skill of the segment.
    segment_start_time,  -- The connection, or the transfer that opened it.
    assigned_time,  -- The agent had the conversation.
    segment_end_time,  -- The next transfer, or the conversation's end.
    case
        when segment_end_time >= segment_start_time then epoch_ms(segment_end_time) - epoch_ms(segment_start_time)
    end as segment_milliseconds,  -- From start to end of the segment.
    case
        when segment_end_time >= assigned_time then epoch_ms(segment_end_time) - epoch_ms(assigned_time)
    end as engaged_milliseconds,  -- From assignment to end of the segment.
    row_number() over (partition by date, conversation_id, account_id, skill_id order by segment_number) - 1
        as bounce_count  -- Earlier segments of the conversation with the same skill.
from parts
where is_connected
