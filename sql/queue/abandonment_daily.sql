-- Share of visitors who gave up, of queue entries and of conversations, by the usual denominators, and their waits.
-- Grain:   one row per account_id, date (UTC, of entering; of conversations their start) and type.
-- Counts:  entries of people; bots have the bot columns. people_abandoned_share = abandoned / (abandoned + answered).
--          abandoned_of_entries_share = abandoned / all entries, those that a transfer moved on too.
--          abandoned_adjusted_share leaves those who left sooner than short_abandon_seconds out of both. The abandon
--          columns look at abandoned entries with a known wait, waited_count of them. A conversation is abandoned if
--          nobody, person or bot, was ever connected: that leaves out who gave up in a transfer's queue.
-- Units:   shares from 0 to 1, NULL where the denominator is 0; seconds; percentiles are interpolated (quantile_cont).
-- Source:  abandonment rate as in Queue Health (people_abandoned_share) and in Analytics Builder (of entries, which it
--          calls requests); time to abandon as in Queue Health; queue_entries and conversation_metrics.
-- Twins:   local_date, local_week, local_month

with everyone as (
    select
        account_id,
        date,
        type,
        is_bot,
        not is_bot as is_person,
        outcome,
        wait_milliseconds,
        short_abandon_seconds,
        not is_bot and outcome = 'abandoned' as is_abandoned_entry,
        wait_milliseconds < short_abandon_milliseconds as is_short,
        null as is_connected
    from named_entries
    union all by name
    select
        account_id,
        date,
        type,
        short_abandon_seconds,
        is_connected
    from named_conversations
)

select
    account_id,
    date,  -- UTC day of entering the queue; of conversations that of their start.
    type,  -- Kind of the conversation: LIVE_CHAT or MESSAGING.
    any_value(short_abandon_seconds) as short_abandon_seconds,
    count(*) filter (where is_person) as people_entry_count,  -- Entries of visitors into queues of people.
    count(*) filter (where is_person and outcome = 'answered')
        as people_answered_count,  -- Entries of people that were answered.
    count(*) filter (where is_abandoned_entry) as people_abandoned_count,  -- Entries of people that were abandoned.
    count(*) filter (where is_abandoned_entry and is_short)
        as people_short_abandon_count,  -- Entries of people that were abandoned sooner than short_abandon_seconds.
    people_abandoned_count / nullif(people_abandoned_count + people_answered_count, 0)
        as people_abandoned_share,  -- people_abandoned_count / (people_abandoned_count + people_answered_count).
    people_abandoned_count / nullif(people_entry_count, 0)
        as abandoned_of_entries_share,  -- people_abandoned_count / people_entry_count.
    (people_abandoned_count - people_short_abandon_count)
    / nullif(people_abandoned_count + people_answered_count - people_short_abandon_count, 0)
        as abandoned_adjusted_share,  -- (people_abandoned_count - people_short_abandon_count)
                                       -- / (people_abandoned_count + people_answered_count -
                                       -- people_short_abandon_count).
    count(wait_milliseconds) filter (where is_abandoned_entry)
        as waited_count,  -- Abandoned entries of people with a known wait.
    avg(wait_milliseconds) filter (where is_abandoned_entry) / 1000
        as abandon_avg_seconds,  -- Mean wait of the waited_count abandoned entries.
    quantile_cont(wait_milliseconds, 0.5) filter (where is_abandoned_entry) / 1000
        as abandon_p50_seconds,  -- Median wait of the waited_count abandoned entries.
    quantile_cont(wait_milliseconds, 0.9) filter (where is_abandoned_entry) / 1000
        as abandon_p90_seconds,  -- Wait that 90 % of the waited_count abandoned entries did not exceed.
    max(wait_milliseconds) filter (where is_abandoned_entry) / 1000
        as abandon_max_seconds,  -- Longest wait of an abandoned entry of people.
    count(*) filter (where is_bot) as bot_entry_count,  -- Entries that a bot answered, or into a bot's queue.
    count(*) filter (where is_bot and outcome = 'abandoned')
        as bot_abandoned_count,  -- Entries that were abandoned in the queue of a bot.
    count(is_connected) as conversation_count,  -- Conversations.
    count(*) filter (where not is_connected)
        as abandoned_conversation_count,  -- Conversations in which nobody was ever connected.
    abandoned_conversation_count / nullif(conversation_count, 0)
        as abandoned_conversation_share  -- abandoned_conversation_count / conversation_count.
from everyone
group by account_id, date, type
