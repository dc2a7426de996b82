-- Length of chats, and the number in which the visitor or the agent wrote nothing.
-- Grain:   one row per account_id and date (UTC, of the conversation's start) with a connected conversation.
-- Counts:  connected conversations. interactive_count by the source's flag, interactive_recomputed_count by the
--          transcript, flag_differs_count where the two differ or the flag is missing. non_responsive_count: the
--          visitor wrote and no agent did, its share is of wrote_count, those in which the visitor wrote. chat columns
--          look at those with a chat time, chat_count of them, interactive_chat columns at the interactive ones by the
--          flag: their mean is the average handling time.
-- Units:   seconds from the connection to the end; no time for wrap-up, which the files do not have. Percentiles are
--          interpolated (quantile_cont); shares from 0 to 1, NULL where the denominator is 0.
-- Source:  interactive chats, average chat length, non-responsive agent as in Analytics Builder.

select
    account_id,
    date,
    count(*) as connected_count,  -- Connected conversations.
    count(*) filter (where is_interactive) as interactive_count,  -- Those interactive by the source's flag.
    interactive_count / nullif(connected_count, 0) as interactive_share,  -- interactive_count / connected_count.
    count(*) filter (where is_interactive_recomputed)
        as interactive_recomputed_count,  -- Those interactive by the transcript.
    count(*) filter (where is_interactive is distinct from is_interactive_recomputed)
        as flag_differs_count,  -- Those whose flag is missing or contradicts the transcript.
    count(*) filter (where has_visitor_line) as wrote_count,  -- Those in which the visitor wrote.
    count(*) filter (where is_non_responsive)
        as non_responsive_count,  -- Those in which the visitor wrote and no agent did.
    non_responsive_count / nullif(wrote_count, 0) as non_responsive_share,  -- non_responsive_count / wrote_count.
    count(chat_milliseconds) as chat_count,  -- Those with a known time from connection to end.
    coalesce(sum(chat_milliseconds), 0) / 1000 as chat_total_seconds,  -- Sum of the times from connection to end.
    avg(chat_milliseconds) / 1000 as chat_avg_seconds,  -- Mean time from connection to end.
    quantile_cont(chat_milliseconds, 0.5) / 1000 as chat_p50_seconds,  -- Median time from connection to end.
    quantile_cont(chat_milliseconds, 0.9) / 1000
        as chat_p90_seconds,  -- Time from connection to end that 90 % did not exceed.
    count(chat_milliseconds) filter (where is_interactive)
        as interactive_chat_count,  -- Those of chat_count that are interactive by the flag.
    coalesce(sum(chat_milliseconds) filter (where is_interactive), 0) / 1000
        as interactive_chat_total_seconds,  -- Sum of their times.
    avg(chat_milliseconds) filter (where is_interactive) / 1000
        as interactive_chat_avg_seconds  -- Mean of their times: average handling time.
from conversation_interactivity
where is_connected
group by account_id, date
