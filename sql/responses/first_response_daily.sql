-- Time to the first answer of connected conversations, counted in two ways.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type and is_bot with a connected
--          conversation.
-- Counts:  connected conversations. first_response: from the connection to the first agent line at or after it, a
--          greeting too. first_reply: from the visitor's first line to the first agent line after it, so a wait in the
--          queue counts: the visitor's view. The counts tell how many conversations have such a time. is_bot: the first
--          agent is a bot by agents.csv, else the first skill a bot's, so that a bot's instant answer stays apart.
-- Units:   seconds; percentiles are interpolated (quantile_cont). A negative time counts as none.
-- Source:  time to first agent response as in Analytics Builder, from assignment and from the consumer's message.
-- Twins:   local_date, local_week, local_month

with connected as (
    select
        conversation.account_id,
        conversation.date,
        conversation.type,
        coalesce(agent.is_bot, skill.is_bot, false) as is_bot,
        conversation.first_response_seconds,
        conversation.first_reply_seconds
    from named_conversations as conversation
    left join skill_names as skill
        on conversation.account_id = skill.account_id
        and conversation.first_skill_id = skill.skill_id
    left join agent_names as agent
        on conversation.account_id = agent.account_id
        and conversation.first_agent_id = agent.agent_id
    where conversation.is_connected
)

select
    account_id,  -- The LivePerson account.
    date,
    type,
    is_bot,  -- The conversation began with a bot: its first agent by agents.csv, else its first skill by skills.csv.
    count(*) as connected_count,  -- Connected conversations.
    count(first_response_seconds)
        as first_response_from_connection_count,  -- Conversations with a known time from connection to the first agent
                                                  -- line.
    coalesce(sum(round(first_response_seconds * 1000)::bigint), 0) / 1000
        as first_response_from_connection_sum_seconds,  -- Sum of the times from connection to the first agent line.
    first_response_from_connection_sum_seconds / nullif(first_response_from_connection_count, 0)
        as first_response_from_connection_avg_seconds,  -- first_response_from_connection_sum_seconds /
                                                        -- first_response_from_connection_count.
    quantile_cont(first_response_seconds, 0.5)
        as first_response_from_connection_p50_seconds,  -- Median of the first_response_from_connection_count times
                                                        -- from connection to the first agent line.
    quantile_cont(first_response_seconds, 0.9)
        as first_response_from_connection_p90_seconds,  -- Time to the first agent line that 90 % of
                                                        -- first_response_from_connection_count did not exceed.
    count(first_reply_seconds)
        as first_response_from_line_count,  -- Conversations with a known time from the visitor's first line to the
                                            -- answer.
    coalesce(sum(round(first_reply_seconds * 1000)::bigint), 0) / 1000
        as first_response_from_line_sum_seconds,  -- Sum of the times from the visitor's first line to the answer.
    first_response_from_line_sum_seconds / nullif(first_response_from_line_count, 0)
        as first_response_from_line_avg_seconds,  -- first_response_from_line_sum_seconds /
                                                  -- first_response_from_line_count.
    quantile_cont(first_reply_seconds, 0.5)
        as first_response_from_line_p50_seconds,  -- Median of the first_response_from_line_count times to the answer.
    quantile_cont(first_reply_seconds, 0.9)
        as first_response_from_line_p90_seconds  -- Time to the answer that 90 % of first_response_from_line_count did
                                                 -- not exceed.
from connected
group by account_id, date, type, is_bot
