-- Each conversation with its waits, its length, its lines, its parts and the agents' response times.
-- Grain:   one row per row of conversations.
-- Counts:  visitor lines are messages of type 0, agent lines those of type 1, 3 or 4; control lines (2), private
--          comments (5) and unknown types are neither. Connected means that interaction_start_time is there, abandoned
--          that it is not. first_response: from the connection to the earliest agent line at or after it. first_reply:
--          from the visitor's first line to the first agent line after it, which is response number 1. Scores of
--          lines are those of visitor lines.
-- Units:   seconds with millisecond precision; NULL where an end is missing or the time would be negative. A response
--          with such a time is in response_count, but neither in the average nor in the maximum.
--          transfer_queue_seconds is 0 where there is nothing to add; total_queue_seconds is NULL where queue_seconds
--          is.
-- Source:  Conversation, Message and Transfer, through spoken_lines, responses, queue_entries and segments.

with lines as (
    select
        line.delivery_key,
        count(*) filter (where not line.is_agent) as visitor_line_count,
        count(*) filter (where line.is_agent) as agent_line_count,
        count(line.visitor_mcs) as scored_line_count,
        arg_min(line.visitor_mcs, line.position) as mcs_first,
        arg_max(line.visitor_mcs, line.position) as mcs_last,
        min(line.timestamp) filter (
            where line.is_agent and line.timestamp >= conversation.interaction_start_time
        ) as first_response_time
    from spoken_lines as line
    join conversations as conversation on line.delivery_key = conversation.delivery_key
    group by line.delivery_key
),

answers as (
    select
        delivery_key,
        count(*) as response_count,
        avg(response_milliseconds) / 1000 as response_avg_seconds,
        max(response_milliseconds) / 1000 as response_max_seconds,
        max(response_milliseconds) filter (where response_number = 1) / 1000 as first_reply_seconds
    from responses
    group by delivery_key
),

entries as (
    select
        delivery_key,
        count(*) as queue_entry_count,
        count(*) filter (where outcome = 'answered') as answered_entry_count,
        count(*) filter (where outcome = 'abandoned') as abandoned_entry_count,
        count(*) filter (where outcome = 'moved') as moved_entry_count,
        max(skill_id) filter (where entry_number = 1) as first_skill_id
    from queue_entries
    group by delivery_key
),

parts as (
    select
        delivery_key,
        count(*) as segment_count,
        count(distinct agent_id) as agent_count
    from segments
    group by delivery_key
),

moves as (
    select
        delivery_key,
        count(*) as transfer_count,
        coalesce(
            sum(epoch_ms(queue_end_time) - epoch_ms(queue_start_time))
                filter (where queue_end_time >= queue_start_time),
            0
        ) as queue_milliseconds,
        bool_or(is_interactive) as is_interactive,
        nullif(nullif(arg_min(coalesce(agent_id, ''), position), ''), '0') as left_agent_id
    from transfers
    group by delivery_key
),

ends as (
    select
        *,
        interaction_start_time is not null as is_connected,
        case
            when interaction_start_time is null then coalesce(queue_end_time, conversation_end_time)
            else queue_end_time
        end as left_queue_time,
        case
            when left_queue_time >= queue_start_time then epoch_ms(left_queue_time) - epoch_ms(queue_start_time)
        end as queue_milliseconds,
        case when agent_id not in ('', '0') then agent_id end as last_agent_id
    from conversations
)

select
    conversation.delivery_key,
    conversation.last_agent_id as agent_id,
    conversation.is_connected,
    not conversation.is_connected as is_abandoned,
    conversation.queue_milliseconds / 1000 as queue_seconds,
    coalesce(moves.transfer_count, 0) as transfer_count,
    coalesce(moves.queue_milliseconds, 0) / 1000 as transfer_queue_seconds,
    (conversation.queue_milliseconds + coalesce(moves.queue_milliseconds, 0)) / 1000 as total_queue_seconds,
    case
        when conversation.conversation_end_time >= conversation.conversation_start_time
            then epoch_ms(conversation.conversation_end_time) - epoch_ms(conversation.conversation_start_time)
    end / 1000 as duration_seconds,
    case
        when conversation.conversation_end_time >= conversation.interaction_start_time
            then epoch_ms(conversation.conversation_end_time) - epoch_ms(conversation.interaction_start_time)
    end / 1000 as chat_seconds,
    coalesce(lines.visitor_line_count, 0) as visitor_line_count,
    coalesce(lines.agent_line_count, 0) as agent_line_count,
    (epoch_ms(lines.first_response_time) - epoch_ms(conversation.interaction_start_time)) / 1000
        as first_response_seconds,
    answers.first_reply_seconds,
    coalesce(answers.response_count, 0) as response_count,
    answers.response_avg_seconds,
    answers.response_max_seconds,
    coalesce(nullif(conversation.consumer_id, ''), nullif(conversation.visitor_id, '')) as person_id,
    entries.first_skill_id,
    coalesce(moves.left_agent_id, conversation.last_agent_id) as first_agent_id,
    coalesce(parts.segment_count, 0) as segment_count,
    coalesce(parts.agent_count, 0) as agent_count,
    entries.queue_entry_count,
    entries.answered_entry_count,
    entries.abandoned_entry_count,
    entries.moved_entry_count,
    coalesce(
        conversation.is_interactive or moves.is_interactive,
        conversation.is_interactive,
        moves.is_interactive
    ) as was_interactive,
    coalesce(lines.scored_line_count, 0) as scored_line_count,
    lines.mcs_first,
    lines.mcs_last
from ends as conversation
left join lines on conversation.delivery_key = lines.delivery_key
left join answers on conversation.delivery_key = answers.delivery_key
left join entries on conversation.delivery_key = entries.delivery_key
left join parts on conversation.delivery_key = parts.delivery_key
left join moves on conversation.delivery_key = moves.delivery_key
