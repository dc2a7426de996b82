-- Hours of the source by account: whether their data are there, or lost.
-- Grain:   one row per account_id with conversations and hour (UTC, start) of source_hours.
-- Counts:  a file that names no account counts for each of them: it is empty, or it has conversations of several.
-- Units:   is_known: loaded or empty, and no file is missing or rejected. Neither of the two: nobody asked the API.
-- Source:  ours; source_hours and conversations.

with met as (
    select distinct account_id
    from conversations
),

hours as materialized (
    select account_id, hour, state
    from source_hours
),

states as (
    select account_id, hour, state
    from hours
    where account_id is not null
    union all
    select met.account_id, hours.hour, hours.state
    from met
    cross join hours
    where hours.account_id is null
)

select
    account_id,  -- The LivePerson account.
    hour,  -- Start of the hour.
    bool_or(state in ('missing', 'rejected')) as is_lost,  -- A file of the hour is missing or rejected.
    bool_or(state in ('loaded', 'empty')) and not is_lost as is_known  -- The data of the hour are there.
from states
group by account_id, hour
