-- Length of each stage of a conversation: the step that every queue and chat measure starts from.
-- Grain:   one row per row of conversations.
-- Counts:  all conversations. Connected means that interaction_start_time is there, abandoned that it is not. queue:
--          to the end of the queue; if abandoned and that is missing, to the end of the conversation.
--          connected_queue: the same, of connected conversations only. duration: the whole conversation. chat: from
--          the connection to the end of the conversation, NULL if not connected.
--          left_queue_time is the end of queue.
-- Units:   whole milliseconds, so that sums are exact in any order; NULL where an end is missing or the time would be
--          negative (sql/checks/conversation_time_order.sql lists those).
-- Source:  conversationStartTime, interactionStartTime, conversationEndTime, queueStartTime, queueEndTime of
--          Conversation.

with ends as (
    select
        account_id,
        conversation_id,
        date,
        type,
        skill_id,
        agent_id,
        campaign_id,
        source_origin,
        source_device,
        is_interactive,
        mcs,
        conversation_start_time,
        interaction_start_time,
        conversation_end_time,
        queue_start_time,
        interaction_start_time is not null as is_connected,
        case
            when interaction_start_time is null then coalesce(queue_end_time, conversation_end_time)
            else queue_end_time
        end as left_queue_time
    from conversations
),

durations as (
    select
        *,
        case
            when left_queue_time >= queue_start_time then epoch_ms(left_queue_time) - epoch_ms(queue_start_time)
        end as queue_milliseconds,
        case
            when conversation_end_time >= conversation_start_time
                then epoch_ms(conversation_end_time) - epoch_ms(conversation_start_time)
        end as duration_milliseconds,
        case
            when conversation_end_time >= interaction_start_time
                then epoch_ms(conversation_end_time) - epoch_ms(interaction_start_time)
        end as chat_milliseconds
    from ends
)

select
    account_id,
    conversation_id,
    date,
    type,
    skill_id,
    agent_id,
    campaign_id,
    source_origin,
    source_device,
    is_interactive,
    mcs,
    conversation_start_time,
    interaction_start_time,
    conversation_end_time,
    queue_start_time,
    left_queue_time,  -- End of the wait in the queue.
    is_connected,  -- An agent was connected.
    not is_connected as is_abandoned,  -- No agent was connected.
    queue_milliseconds,  -- Wait in the first queue.
    case when is_connected then queue_milliseconds end
        as connected_queue_milliseconds,  -- queue_milliseconds of connected ones.
    duration_milliseconds,  -- From start to end.
    chat_milliseconds  -- From connection to end.
from durations
