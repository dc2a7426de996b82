-- Share of visitors connected in time, in the usual variants.
-- Grain:   one row per account_id and date (UTC, of the conversation's start) with a conversation.
-- Counts:  within_count: connected within service_level_seconds. short_abandon_count: abandoned sooner than
--          short_abandon_seconds; an abandoned conversation of unknown wait is not short. service_level_share = within
--          / (connected + abandoned - short), the usual one. service_level_of_all_share = within / (connected +
--          abandoned). service_level_of_connected_share = within / connected. service_level_kind_share = (within +
--          abandoned within service_level_seconds) / (connected + abandoned): who left early did not miss it.
-- Units:   shares from 0 to 1, NULL where the denominator is 0; both thresholds are settings.
-- Source:  contact centre standard; short abandons left out as in ICMI's list of service-level calculations.

select
    account_id,
    date,
    any_value(service_level_seconds) as service_level_seconds,
    any_value(short_abandon_seconds) as short_abandon_seconds,
    count(*) filter (where is_connected) as connected_count,  -- Those connected to an agent.
    count(*) filter (where is_abandoned) as abandoned_count,  -- Those that left before they were connected.
    count(*) filter (where is_abandoned and queue_milliseconds < short_abandon_seconds * 1000)
        as short_abandon_count,  -- Those of abandoned_count that left within short_abandon_seconds.
    count(*) filter (where is_connected and queue_milliseconds <= service_level_seconds * 1000)
        as within_count,  -- Those connected within service_level_seconds.
    count(*) filter (where is_abandoned and queue_milliseconds <= service_level_seconds * 1000)
        as abandoned_within_count,  -- Those that left within service_level_seconds.
    within_count / nullif(connected_count + abandoned_count - short_abandon_count, 0)
        as service_level_share,  -- within_count / (connected_count + abandoned_count - short_abandon_count).
    within_count / nullif(connected_count + abandoned_count, 0)
        as service_level_of_all_share,  -- within_count / (connected_count + abandoned_count).
    within_count / nullif(connected_count, 0) as service_level_of_connected_share,  -- within_count / connected_count.
    (within_count + abandoned_within_count) / nullif(connected_count + abandoned_count, 0)
        as service_level_kind_share  -- (within_count + abandoned_within_count) / all.
from conversation_rules
group by account_id, date
