-- How long chats took, and in how many of them the visitor or the agent said nothing.
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
    count(*) as connected_count,
    count(*) filter (where is_interactive) as interactive_count,
    interactive_count / nullif(connected_count, 0) as interactive_share,
    count(*) filter (where is_interactive_recomputed) as interactive_recomputed_count,
    count(*) filter (where is_interactive is distinct from is_interactive_recomputed) as flag_differs_count,
    count(*) filter (where has_visitor_line) as wrote_count,
    count(*) filter (where is_non_responsive) as non_responsive_count,
    non_responsive_count / nullif(wrote_count, 0) as non_responsive_share,
    count(chat_milliseconds) as chat_count,
    coalesce(sum(chat_milliseconds), 0) / 1000 as chat_total_seconds,
    avg(chat_milliseconds) / 1000 as chat_avg_seconds,
    quantile_cont(chat_milliseconds, 0.5) / 1000 as chat_p50_seconds,
    quantile_cont(chat_milliseconds, 0.9) / 1000 as chat_p90_seconds,
    count(chat_milliseconds) filter (where is_interactive) as interactive_chat_count,
    coalesce(sum(chat_milliseconds) filter (where is_interactive), 0) / 1000 as interactive_chat_total_seconds,
    avg(chat_milliseconds) filter (where is_interactive) / 1000 as interactive_chat_avg_seconds
from conversation_interactivity
where is_connected
group by account_id, date
