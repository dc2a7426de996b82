-- Content of each day's source files, and their rejects.
-- Grain:   one row per account_id and scope_date (UTC, of the file's hour); NULL for files whose name tells no hour.
-- Counts:  file_count: loaded files; empty_file_count of them without a conversation; rejected_file_count: files
--          rejected as a whole. document_count and the counts of rows are of loaded files, superseded deliveries
--          included. rejected_document_count: rejected documents; rejected_share is of document_count.
-- Units:   counts and bytes as served; shares from 0 to 1, NULL where there is no document.
-- Source:  ours; files.

select
    account_id,
    make_timestamp(epoch_us(scope_start_time))::date as scope_date,  -- UTC date of the start of the files' hours.
    count(*) filter (where status = 'loaded') as file_count,  -- Loaded files.
    count(*) filter (where status = 'loaded' and conversations = 0)
        as empty_file_count,  -- Loaded files without a conversation.
    count(*) filter (where status = 'rejected') as rejected_file_count,  -- Rejected files.
    coalesce(sum(bytes) filter (where status = 'loaded'), 0)::bigint as byte_count,  -- Bytes of loaded files.
    coalesce(sum(documents) filter (where status = 'loaded'), 0)::bigint
        as document_count,  -- Documents in loaded files.
    coalesce(sum(conversations) filter (where status = 'loaded'), 0)::bigint
        as delivered_conversation_count,  -- Conversations in loaded files, superseded ones too.
    coalesce(sum(messages) filter (where status = 'loaded'), 0)::bigint
        as delivered_message_count,  -- Transcript lines in loaded files.
    coalesce(sum(transfers) filter (where status = 'loaded'), 0)::bigint
        as delivered_transfer_count,  -- Transfers in loaded files.
    coalesce(sum(rejects) filter (where status = 'loaded'), 0)::bigint
        as rejected_document_count,  -- Documents that are in rejects.
    rejected_document_count / nullif(document_count, 0) as rejected_share  -- rejected_document_count / document_count.
from files
group by account_id, scope_date
