-- What a conversation went through: its start, and each transfer, with its neighbours.
-- Grain:   one row per conversation of a delivery, and one per transfer of it.
-- Counts:  stage_number is 0 for the start, and counts transfers in the order of position. is_entry: the visitor
--          entered a queue, as at every start, and at a transfer with a queue_start_time; outcome is what became of
--          that entry. is_taken: an agent had the conversation from this stage on; who, says agent_id.
-- Units:   instants; delivery_key is one number per delivery of a conversation.
-- Source:  Conversation and Transfer; requested and abandoned as in Analytics Builder, segments as in Report Center.

with openings as (
    select
        delivery_key,
        -1 as position,
        conversation_end_time,
        interaction_start_time,
        interaction_start_time as timestamp,
        coalesce(queue_start_time, conversation_start_time) as entered_time,
        queue_end_time,
        skill_id as own_skill_id,
        case when agent_id not in ('', '0') then agent_id end as own_agent_id,
        null::bigint as left_skill_id,
        null::bigint as target_skill_id,
        null::varchar as left_agent_id,
        null::varchar as target_agent_id
    from conversations
    union all by name
    select
        delivery_key,
        position,
        timestamp,
        queue_start_time as entered_time,
        queue_end_time,
        skill_id as left_skill_id,
        target_skill_id,
        case when agent_id not in ('', '0') then agent_id end as left_agent_id,
        case when target_agent_id not in ('', '0') then target_agent_id end as target_agent_id
    from transfers
),

neighbours as (
    select
        delivery_key,
        row_number() over conversation - 1 as stage_number,
        position >= 0 as is_transfer,
        position < 0 or entered_time is not null as is_entry,
        first_value(conversation_end_time) over conversation as conversation_end_time,
        interaction_start_time,
        timestamp,
        entered_time,
        queue_end_time,
        lead(position) over conversation is not null as has_next,
        lead(timestamp) over conversation as next_time,
        case
            when position < 0 then coalesce(lead(left_skill_id) over conversation, own_skill_id)
            else coalesce(target_skill_id, left_skill_id)
        end as skill_id,
        -- Who the next transfer left had it; the conversation's agent is its last one.
        coalesce(
            lead(left_agent_id) over conversation,
            first_value(own_agent_id) over conversation,
            target_agent_id
        ) as agent_id
    from openings
    window conversation as (partition by delivery_key order by position)
),

outcomes as (
    select
        *,
        case
            when not is_entry then null
            when not is_transfer
                then case
                    when interaction_start_time <= coalesce(next_time, interaction_start_time) then 'answered'
                    when has_next then 'moved'
                    when coalesce(queue_end_time, conversation_end_time) is not null then 'abandoned'
                    else 'unknown'
                end
            when queue_end_time is not null
                then case
                    when next_time <= queue_end_time then 'moved'
                    when conversation_end_time <= queue_end_time then 'abandoned'
                    else 'answered'
                end
            when has_next then 'moved'
            when conversation_end_time is not null then 'abandoned'
            else 'unknown'
        end as outcome
    from neighbours
)

select
    delivery_key,
    stage_number,
    is_transfer,
    is_entry,
    skill_id,
    entered_time,
    case
        when queue_end_time is not null then queue_end_time
        when outcome = 'answered' then interaction_start_time
        when outcome = 'abandoned' then conversation_end_time
        when outcome = 'moved' then next_time
    end as left_time,
    outcome,
    not is_entry or outcome = 'answered' as is_taken,
    case when is_taken then agent_id end as agent_id,
    timestamp as opened_time,
    case
        when not is_transfer then interaction_start_time
        when is_entry then queue_end_time
        else coalesce(queue_end_time, timestamp)
    end as assigned_time,
    case when has_next then next_time else conversation_end_time end as ended_time
from outcomes
