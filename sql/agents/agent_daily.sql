-- Conversations of each agent, their length and score, and the agent's response times, day by day.
-- Grain:   one row per account_id, date (UTC, of the conversation's start) and agent_id; connected conversations and
--          responses without an agent are a group of their own.
-- Counts:  conversation columns: connected conversations whose last agent this was. Response columns: responses that
--          this agent wrote, in any conversation. mcs_avg covers the scored_count conversations with a score.
-- Units:   seconds, points of the source's MCS scale; the percentile is interpolated (quantile_cont).
--          chat_total_seconds counts two chats at a time twice.
-- Source:  agentId and mcs of Conversation, agentId of Message, through conversation_times and agent_responses.

with work as (
    select
        account_id,
        date,
        agent_id,
        true as is_conversation,
        chat_milliseconds,
        mcs,
        null::bigint as response_milliseconds
    from conversation_times
    where is_connected
    union all
    select
        account_id,
        date,
        agent_id,
        false as is_conversation,
        null as chat_milliseconds,
        null as mcs,
        response_milliseconds
    from agent_responses
)

select
    account_id,
    date,
    agent_id,  -- The agent: last one of conversations, writer of responses.
    count(*) filter (where is_conversation)
        as conversation_count,  -- Connected conversations whose last agent this was.
    coalesce(sum(chat_milliseconds), 0) / 1000 as chat_total_seconds,  -- Their times from connection to end, added up.
    avg(chat_milliseconds) / 1000 as chat_avg_seconds,  -- Mean time from connection to end.
    count(mcs) as scored_count,  -- Those of them with a score.
    avg(mcs order by mcs) as mcs_avg,  -- Mean score.
    count(*) filter (where not is_conversation) as response_count,  -- Responses that this agent wrote.
    avg(response_milliseconds) / 1000 as response_avg_seconds,  -- Mean time of a response.
    quantile_cont(response_milliseconds, 0.5) / 1000 as response_p50_seconds  -- Median time of a response.
from work
group by account_id, date, agent_id
