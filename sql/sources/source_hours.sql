-- State of each hour of the source: loaded, rejected, missing, empty, or unknown as the API was not asked.
-- Grain:   one row per account_id and hour (UTC, start), from an account's first to its last hour that is known of;
--          more than 400 days in a row of which nothing is known have none: a wrong file name costs an hour.
-- Counts:  files by the start of their scope; a file without one is in no hour.
-- Units:   state: loaded; rejected = a file of the hour is broken; missing = a file was listed and not downloaded;
--          empty = the API said that there is none; unknown = the API was not asked, or did not answer. missing: names
--          of files. listed_count: as the API listed last; listed_at: when; both NULL if it never did. Hours after the
--          last one, and before the first that the source still has, are unknown, too: lakehouse status has them.
-- Source:  ours.

with brought as (
    select
        account_id,
        time_bucket(interval '1 hour', scope_start_time) as hour,
        count(*) as file_count,
        count(*) filter (where status = 'rejected') as rejected_count,
        coalesce(sum(conversations), 0)::bigint as delivered_conversation_count,
        coalesce(sum(rejects), 0)::bigint as reject_count
    from files
    where scope_start_time is not null
    group by all
),

lacking as (
    select
        listed.account_id,
        listed.hour,
        list(listed.name order by listed.name) as missing
    from (select account_id, hour, unnest(missing) as name from listings) as listed
    anti join (select account_id, name from files) as met
        on listed.name = met.name and (met.account_id is null or met.account_id = listed.account_id)
    group by all
),

known as (
    select
        account_id,
        hour,
        lead(hour) over (partition by account_id order by hour) as next_hour
    from (select account_id, hour from brought union select account_id, hour from listings)
),

span as (
    select
        account_id,
        unnest(
            generate_series(
                hour,
                case
                    when next_hour <= hour + interval '400 days' then next_hour - interval '1 hour'
                    else hour
                end,
                interval '1 hour'
            )
        ) as hour
    from known
)

select
    span.account_id,  -- The LivePerson account.
    span.hour,  -- Start of the hour.
    case
        when lacking.missing is not null then 'missing'
        when brought.rejected_count > 0 then 'rejected'
        when brought.file_count > 0 then 'loaded'
        when listings.listed_at is not null then 'empty'
        else 'unknown'
    end as state,  -- loaded, rejected, missing, empty or unknown.
    coalesce(brought.file_count, 0) as file_count,  -- Loaded files.
    coalesce(brought.delivered_conversation_count, 0)
        as delivered_conversation_count,  -- Conversations in loaded files, superseded ones too.
    coalesce(brought.reject_count, 0) as reject_count,  -- Documents in the hour's loaded files that are in rejects.
    listings.files as listed_count,  -- Files as the API listed them last.
    listings.listed_at,  -- When the API answered last.
    coalesce(lacking.missing, []::varchar[]) as missing  -- Names of listed files that could not be downloaded.
from span
left join brought on brought.account_id is not distinct from span.account_id and brought.hour = span.hour
left join listings on listings.account_id is not distinct from span.account_id and listings.hour = span.hour
left join lacking on lacking.account_id is not distinct from span.account_id and lacking.hour = span.hour
