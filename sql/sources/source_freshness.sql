-- Newest data of each account, and its last load.
-- Grain:   one row per account_id with a source file.
-- Counts:  file_count: loaded files, rejected_file_count rejected ones. delivered_count: conversations as often as they
--          were delivered, conversation_count: those that count, superseded_count the difference. missing_hour_count:
--          hours of which a listed file could not be downloaded; unknown_hour_count: hours of which the API has not
--          said what there is, between the first and the last hour of source_hours: those before and after are counted
--          by lakehouse status, since a view knows no clock. A quiet hour is neither.
-- Units:   instants. scope_end_time is where the newest loaded file's hour ends. A day is provisional for longer, by
--          provisional_hours: see calendar.
-- Source:  ours; files, listings and conversations. The vendor has 99.5 % of the conversations in its files six hours
--          after they closed.

with sources as (
    select
        account_id,
        count(*) filter (where status = 'loaded') as file_count,
        count(*) filter (where status = 'rejected') as rejected_file_count,
        coalesce(sum(rejects), 0)::bigint as rejected_document_count,
        coalesce(sum(conversations) filter (where status = 'loaded'), 0)::bigint as delivered_count,
        min(scope_start_time) filter (where status = 'loaded') as scope_start_time,
        max(scope_end_time) filter (where status = 'loaded') as scope_end_time,
        max(loaded_at) as loaded_at
    from files
    group by account_id
),

kept as (
    select
        account_id,
        count(*) as conversation_count,
        max(conversation_end_time) as newest_end_time
    from conversations
    group by account_id
),

lacking as (
    select
        account_id,
        count(*) filter (where state = 'missing') as missing_hour_count,
        count(*) filter (where state = 'unknown') as unknown_hour_count
    from source_hours
    group by account_id
)

select
    sources.account_id,  -- The LivePerson account.
    sources.scope_start_time,  -- Start of the first loaded file's hour.
    sources.scope_end_time,  -- End of the newest loaded file's hour.
    kept.newest_end_time,  -- Newest end of a conversation.
    sources.loaded_at,  -- The newest load finished.
    sources.file_count,  -- Loaded files.
    sources.rejected_file_count,  -- Rejected files.
    sources.rejected_document_count,  -- Documents that are in rejects.
    coalesce(lacking.missing_hour_count, 0)
        as missing_hour_count,  -- Hours with a listed file that could not be downloaded.
    coalesce(lacking.unknown_hour_count, 0)
        as unknown_hour_count,  -- Hours of which the API has not said what there is.
    sources.delivered_count,  -- Conversations as often as they were delivered.
    coalesce(kept.conversation_count, 0) as conversation_count,  -- Conversations.
    sources.delivered_count - coalesce(kept.conversation_count, 0)
        as superseded_count  -- delivered_count - conversation_count.
from sources
left join kept on sources.account_id is not distinct from kept.account_id
left join lacking on sources.account_id is not distinct from lacking.account_id
