-- Each conversation with its waits, its length, its lines and the agent's response times.
-- Grain:   one row per row of conversations.
-- Counts:  visitor lines are messages of type 0, agent lines those of type 1, 3 or 4; control lines (2), private
--          comments (5) and unknown types are neither. A response is an agent line that follows a visitor line, in
--          transcript order, timed from the first line of that run of visitor lines. first_response: from the
--          connection to the earliest agent line at or after it. first_reply: from the visitor's first line to the
--          first agent line after it.
-- Units:   seconds with millisecond precision; NULL where an end is missing or the time would be negative. A response
--          with such a time is in response_count, but neither in the average nor in the maximum.
--          transfer_queue_seconds is 0 where there is nothing to add; total_queue_seconds is NULL where queue_seconds
--          is.
-- Source:  Conversation, Message and Transfer of the Engagement data, through conversation_times, dialogue_lines,
--          agent_responses and transfer_times.

-- All three tables have the same partitions: with date in every group and join, a condition on it prunes files in each.
with lines as (
    select
        account_id,
        conversation_id,
        date,
        count(*) filter (where not is_agent) as visitor_line_count,
        count(*) filter (where is_agent) as agent_line_count,
        list(timestamp) filter (where is_agent) as agent_times
    from dialogue_lines
    group by account_id, conversation_id, date
),

responses as (
    select
        account_id,
        conversation_id,
        date,
        count(*) as response_count,
        avg(response_milliseconds) / 1000 as response_avg_seconds,
        max(response_milliseconds) / 1000 as response_max_seconds,
        -- The visitor's first line opens the first run, so the first response is the first reply.
        max(response_milliseconds) filter (where response_number = 1) / 1000 as first_reply_seconds
    from agent_responses
    group by account_id, conversation_id, date
),

handovers as (
    select
        account_id,
        conversation_id,
        date,
        count(*) as transfer_count,
        coalesce(sum(queue_milliseconds), 0) as queue_milliseconds
    from transfer_times
    group by account_id, conversation_id, date
)

select
    conversation.account_id,
    conversation.conversation_id,  -- Unique conversation identifier; never NULL.
    conversation.date,
    conversation.type,
    conversation.skill_id,  -- The conversation's last skill.
    conversation.agent_id,  -- The conversation's last agent.
    conversation.campaign_id,
    conversation.source_origin,
    conversation.source_device,
    conversation.is_interactive,
    conversation.mcs,
    conversation.conversation_start_time,
    conversation.conversation_end_time,
    conversation.is_connected,
    conversation.is_abandoned,
    conversation.queue_milliseconds / 1000 as queue_seconds,  -- Wait in the first queue.
    coalesce(handovers.transfer_count, 0) as transfer_count,  -- Its transfers.
    coalesce(handovers.queue_milliseconds, 0) / 1000
        as transfer_queue_seconds,  -- Wait in the queues of its transfers; 0 without any.
    (conversation.queue_milliseconds + coalesce(handovers.queue_milliseconds, 0)) / 1000
        as total_queue_seconds,  -- queue_seconds + transfer_queue_seconds.
    conversation.duration_milliseconds / 1000 as duration_seconds,  -- From start to end.
    conversation.chat_milliseconds / 1000 as chat_seconds,  -- From connection to end.
    coalesce(lines.visitor_line_count, 0) as visitor_line_count,  -- Lines by the visitor.
    coalesce(lines.agent_line_count, 0) as agent_line_count,  -- Lines by agents.
    (
        epoch_ms(list_min(list_filter(lines.agent_times, lambda said: said >= conversation.interaction_start_time)))
        - epoch_ms(conversation.interaction_start_time)
    ) / 1000 as first_response_seconds,  -- From connection to the first agent line after it.
    responses.first_reply_seconds,  -- From the visitor's first line to the agent's answer.
    coalesce(responses.response_count, 0) as response_count,  -- Responses by agents, timed or not.
    responses.response_avg_seconds,  -- Mean time of a response.
    responses.response_max_seconds  -- Longest time of a response.
from conversation_times as conversation
left join lines
    on conversation.account_id is not distinct from lines.account_id
    and conversation.conversation_id = lines.conversation_id
    and conversation.date = lines.date
left join responses
    on conversation.account_id is not distinct from responses.account_id
    and conversation.conversation_id = responses.conversation_id
    and conversation.date = responses.date
left join handovers
    on conversation.account_id is not distinct from handovers.account_id
    and conversation.conversation_id = handovers.conversation_id
    and conversation.date = handovers.date
