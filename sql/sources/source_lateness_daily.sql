-- Delay of conversations: until their file, and until the lake.
-- Grain:   one row per account_id, date (UTC, of the conversation's start) and type with a conversation.
-- Counts:  conversations with an end whose file's hour is known, lateness_count of them. late_count: the hour of the
--          file ended more than late_hours after the conversation. load columns: from the end of the file's hour to the
--          load. Conversations of bots are in it, too.
-- Units:   hours; a negative time counts as none. Percentiles are interpolated (quantile_cont). Shares from 0 to 1,
--          NULL where lateness_count is 0.
-- Source:  ours; the vendor promises 99.5 % within six hours. scope_end_time and loaded_at of files.

with delivered as (
    select
        conversations.account_id,
        conversations.date,
        conversations.type,
        case
            when files.scope_end_time >= conversations.conversation_end_time
                then epoch_ms(files.scope_end_time) - epoch_ms(conversations.conversation_end_time)
        end as file_milliseconds,
        case
            when files.loaded_at >= files.scope_end_time then epoch_ms(files.loaded_at) - epoch_ms(files.scope_end_time)
        end as load_milliseconds,
        rules.late_hours
    from conversations
    left join files
        on conversations.account_id is not distinct from files.account_id
        and conversations.source_file = files.name
    join account_rules as rules
        on rules.account_id is not distinct from rules_account(conversations.account_id)
)

select
    account_id,  -- The LivePerson account.
    date,
    type,
    count(*) as conversation_count,  -- Conversations.
    count(file_milliseconds) as lateness_count,  -- Conversations with an end whose file's hour is known.
    quantile_cont(file_milliseconds, 0.5) / 3_600_000
        as file_p50_hours,  -- Median of the lateness_count times from a conversation's end to the end of its file's
                            -- hour.
    quantile_cont(file_milliseconds, 0.995) / 3_600_000
        as file_p995_hours,  -- Time to the end of the file's hour that 99.5 % of lateness_count did not exceed.
    max(file_milliseconds) / 3_600_000
        as file_max_hours,  -- Longest time from a conversation's end to the end of its file's hour.
    count(*) filter (where file_milliseconds > late_hours * 3_600_000)
        as late_count,  -- Conversations whose file's hour ended more than late_hours after them.
    late_count / nullif(lateness_count, 0) as late_share,  -- late_count / lateness_count.
    quantile_cont(load_milliseconds, 0.5) / 3_600_000
        as load_p50_hours,  -- Median time from the end of the file's hour to the load.
    max(load_milliseconds) / 3_600_000 as load_max_hours  -- Longest time from the end of the file's hour to the load.
from delivered
group by account_id, date, type
