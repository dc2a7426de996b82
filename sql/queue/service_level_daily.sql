-- Share of visitors answered in time, in the usual variants.
-- Grain:   one row per account_id, date (UTC, of entering) and type with an entry.
-- Counts:  entries of people; bots, who answer at once, have the bot columns. people_within_count: answered within
--          service_level_seconds. people_short_abandon_count: abandoned sooner than short_abandon_seconds; an abandoned
--          entry of unknown wait is not short. people_service_level_share = within / (answered + abandoned - short):
--          Genesys Cloud with short abandons off. The other variants are of ICMI's list: of_all = within / (answered +
--          abandoned), Genesys Cloud with short abandons on; of_answered = within / answered; of_late = within /
--          (answered + abandoned later than service_level_seconds); kind = (within + abandoned within
--          service_level_seconds) / (answered + abandoned), so who left early did not miss it.
-- Units:   shares from 0 to 1, NULL where the denominator is 0; both thresholds are settings, compared in whole
--          milliseconds.
-- Source:  contact centre standard; queue_entries.
-- Twins:   local_date, local_week, local_month

with entries as (
    select
        account_id,
        date,
        type,
        is_bot,
        outcome,
        service_level_seconds,
        short_abandon_seconds,
        wait_milliseconds <= service_level_milliseconds as is_within,
        wait_milliseconds < short_abandon_milliseconds as is_short
    from named_entries
)

select
    account_id,
    date,
    type,
    any_value(service_level_seconds) as service_level_seconds,
    any_value(short_abandon_seconds) as short_abandon_seconds,
    count(*) filter (where not is_bot and outcome = 'answered')
        as people_answered_count,  -- Entries of people that were answered.
    count(*) filter (where not is_bot and outcome = 'abandoned')
        as people_abandoned_count,  -- Entries of people that were abandoned.
    count(*) filter (where not is_bot and outcome = 'abandoned' and is_short)
        as people_short_abandon_count,  -- Entries of people that were abandoned sooner than short_abandon_seconds.
    count(*) filter (where not is_bot and outcome = 'answered' and is_within)
        as people_within_count,  -- Entries of people that were answered within service_level_seconds.
    count(*) filter (where not is_bot and outcome = 'abandoned' and is_within)
        as people_abandoned_within_count,  -- Entries of people that were abandoned within service_level_seconds.
    people_within_count / nullif(people_answered_count + people_abandoned_count - people_short_abandon_count, 0)
        as people_service_level_share,  -- people_within_count / (people_answered_count + people_abandoned_count -
                                        -- people_short_abandon_count).
    people_within_count / nullif(people_answered_count + people_abandoned_count, 0)
        as people_service_level_of_all_share,  -- people_within_count / (people_answered_count +
                                               -- people_abandoned_count).
    people_within_count / nullif(people_answered_count, 0)
        as people_service_level_of_answered_share,  -- people_within_count / people_answered_count.
    people_within_count / nullif(people_answered_count + people_abandoned_count - people_abandoned_within_count, 0)
        as people_service_level_of_late_share,  -- people_within_count / (people_answered_count + people_abandoned_count
                                                -- - people_abandoned_within_count).
    (people_within_count + people_abandoned_within_count) / nullif(people_answered_count + people_abandoned_count, 0)
        as people_service_level_kind_share,  -- (people_within_count + people_abandoned_within_count) /
                                             -- (people_answered_count + people_abandoned_count).
    count(*) filter (where is_bot and outcome = 'answered') as bot_answered_count,  -- Entries that a bot answered.
    count(*) filter (where is_bot and outcome = 'abandoned')
        as bot_abandoned_count,  -- Entries that were abandoned in the queue of a bot.
    count(*) filter (where is_bot and outcome = 'answered' and is_within)
        as bot_within_count  -- Entries that a bot answered within service_level_seconds.
from entries
group by account_id, date, type
