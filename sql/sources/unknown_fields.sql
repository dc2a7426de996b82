-- Fields of the source for which the tables have no column.
-- Grain:   one row per account_id and field, by its path such as Conversation.newField.
-- Counts:  file_count: loaded files that have it, file_share of all loaded files of the account. Their values are in
--          the extra columns.
-- Units:   shares from 0 to 1; instants of the first and the last file's hour.
-- Source:  ours; unknown_fields of files.

with loaded as (
    select
        account_id,
        scope_start_time,
        unknown_fields,
        count(*) over (partition by account_id) as loaded_count
    from files
    where status = 'loaded'
),

fields as (
    select account_id, scope_start_time, loaded_count, unnest(unknown_fields) as field
    from loaded
)

select
    account_id,
    field,  -- Path of the field.
    count(*) as file_count,  -- Loaded files.
    file_count / any_value(loaded_count) as file_share,  -- file_count / loaded files of the account.
    min(scope_start_time) as first_scope_time,  -- Start of the hour of the first loaded file with the field.
    max(scope_start_time) as last_scope_time  -- Start of the hour of the last loaded file with the field.
from fields
group by account_id, field
