-- Time that agents had conversations, length of chats, and the number in which the visitor or the agent wrote nothing.
-- Grain:   one row per account_id, date (UTC, of the conversation's start), type and is_bot with a connected
--          conversation.
-- Counts:  connected conversations; is_bot: only bots had it, so those that people had are apart. interactive_count:
--          interactive by the source's flag, of the conversation or of one of its transfers
--          (sql/checks/interactive_flag.sql holds the flag against the transcripts). non_responsive_conversation_count:
--          the visitor wrote, maybe to a bot, and no person did (of is_bot: no bot did); its share is of
--          wrote_conversation_count, those in which the visitor wrote. handling columns add up the segments of people
--          (of is_bot: of bots): their mean is the average handling time. chat columns have the whole time, that of a
--          bot and of queues between included, of those with a chat time, chat_count of them, interactive_chat columns
--          of the interactive ones.
-- Units:   seconds; chat from the connection to the end, engaged from each assignment to the end of the segment; no
--          time for wrap-up, which the files do not have. Percentiles are interpolated (quantile_cont); shares from 0
--          to 1, NULL where the denominator is 0.
-- Source:  interactive chats, average chat length, non-responsive agent as in Analytics Builder.
-- Twins:   local_date, local_week, local_month

select
    account_id,  -- The LivePerson account.
    date,
    type,
    is_bot,  -- True where only bots had the conversation.
    count(*) as connected_count,  -- Connected conversations.
    count(*) filter (where was_interactive)
        as interactive_count,  -- Conversations that are interactive by the source's flag, or a transfer's.
    interactive_count / connected_count as interactive_share,  -- interactive_count / connected_count.
    count(*) filter (where visitor_line_count > 0)
        as wrote_conversation_count,  -- Conversations in which the visitor wrote.
    count(*) filter (where visitor_line_count > 0 and own_line_count = 0)
        as non_responsive_conversation_count,  -- Conversations in which the visitor wrote and no person did.
    non_responsive_conversation_count / nullif(wrote_conversation_count, 0)
        as non_responsive_conversation_share,  -- non_responsive_conversation_count / wrote_conversation_count.
    count(handling_milliseconds) as handling_count,  -- Conversations in which the agents' time is known.
    coalesce(sum(handling_milliseconds), 0) / 1000
        as handling_sum_seconds,  -- Sum of the times that agents had the conversations.
    avg(handling_milliseconds) / 1000
        as handling_avg_seconds,  -- Average handling time: handling_sum_seconds / handling_count.
    count(chat_milliseconds) as chat_count,  -- Conversations with a known time from connection to end.
    coalesce(sum(chat_milliseconds), 0) / 1000 as chat_sum_seconds,  -- Sum of the times from connection to end.
    avg(chat_milliseconds) / 1000
        as chat_avg_seconds,  -- Mean time from connection to end: chat_sum_seconds / chat_count.
    quantile_cont(chat_milliseconds, 0.5) / 1000
        as chat_p50_seconds,  -- Median of the chat_count times from connection to end.
    quantile_cont(chat_milliseconds, 0.9) / 1000
        as chat_p90_seconds,  -- Time from connection to end that 90 % of chat_count did not exceed.
    count(chat_milliseconds) filter (where was_interactive)
        as interactive_chat_count,  -- Conversations of chat_count that are interactive.
    coalesce(sum(chat_milliseconds) filter (where was_interactive), 0) / 1000
        as interactive_chat_sum_seconds,  -- Sum of the times from connection to end of interactive conversations.
    avg(chat_milliseconds) filter (where was_interactive) / 1000
        as interactive_chat_avg_seconds  -- Mean chat: interactive_chat_sum_seconds / interactive_chat_count.
from handled_conversations
group by account_id, date, type, is_bot
