-- Time to the first answer, counted in three ways.
-- Grain:   one row per account_id and date (UTC, of the conversation's start) with a connected conversation.
-- Counts:  connected conversations. first_response: from the connection to the first agent line at or after it, a
--          greeting too. first_reply: from the visitor's first line to the first agent line after it, so a wait in the
--          queue counts: the visitor's view. first_answer: as first_reply, but from the connection where the visitor
--          wrote before it: what the agent is answerable for. The counts say how many conversations have such a time.
-- Units:   seconds; percentiles are interpolated (quantile_cont). A negative time counts as none.
-- Source:  time to first agent response as in Analytics Builder, from assignment and from the consumer's message.

with greetings as (
    select
        lines.account_id,
        lines.conversation_id,
        lines.date,
        min(lines.timestamp) as first_line_time
    from dialogue_lines as lines
    join conversation_times as conversation
        on lines.account_id is not distinct from conversation.account_id
        and lines.conversation_id = conversation.conversation_id
        and lines.date = conversation.date
        and lines.timestamp >= conversation.interaction_start_time
    where lines.is_agent
    group by lines.account_id, lines.conversation_id, lines.date
),

timed as (
    select
        conversation.account_id,
        conversation.date,
        epoch_ms(greetings.first_line_time) - epoch_ms(conversation.interaction_start_time) as response_milliseconds,
        reply.response_milliseconds as reply_milliseconds,
        epoch_ms(reply.response_time) - epoch_ms(greatest(reply.visitor_time, conversation.interaction_start_time))
            as answer
    from conversation_times as conversation
    left join greetings
        on conversation.account_id is not distinct from greetings.account_id
        and conversation.conversation_id = greetings.conversation_id
        and conversation.date = greetings.date
    left join (select * from agent_responses where response_number = 1) as reply
        on conversation.account_id is not distinct from reply.account_id
        and conversation.conversation_id = reply.conversation_id
        and conversation.date = reply.date
    where conversation.is_connected
),

durations as (
    select
        account_id,
        date,
        response_milliseconds,
        reply_milliseconds,
        case when reply_milliseconds is not null and answer >= 0 then answer end as answer_milliseconds
    from timed
)

select
    account_id,
    date,
    count(*) as connected_count,  -- Connected conversations.
    count(response_milliseconds) as first_response_count,  -- Those with a time from connection to the first agent line.
    avg(response_milliseconds) / 1000 as first_response_avg_seconds,  -- Mean of these times.
    quantile_cont(response_milliseconds, 0.5) / 1000 as first_response_p50_seconds,  -- Median of these times.
    quantile_cont(response_milliseconds, 0.9) / 1000 as first_response_p90_seconds,  -- Time that 90 % did not exceed.
    count(reply_milliseconds) as first_reply_count,  -- Those with a time from the visitor's first line to the answer.
    avg(reply_milliseconds) / 1000 as first_reply_avg_seconds,  -- Mean of these times.
    quantile_cont(reply_milliseconds, 0.5) / 1000 as first_reply_p50_seconds,  -- Median of these times.
    quantile_cont(reply_milliseconds, 0.9) / 1000 as first_reply_p90_seconds,  -- Time that 90 % did not exceed.
    count(answer_milliseconds) as first_answer_count,  -- Those with a time of the agent's part of that wait.
    avg(answer_milliseconds) / 1000 as first_answer_avg_seconds,  -- Mean of these times.
    quantile_cont(answer_milliseconds, 0.5) / 1000 as first_answer_p50_seconds,  -- Median of these times.
    quantile_cont(answer_milliseconds, 0.9) / 1000 as first_answer_p90_seconds  -- Time that 90 % did not exceed.
from durations
group by account_id, date
