-- The source sent a code that the vendor's page does not list. It is labelled unknown, and a message of an unknown
-- type counts for neither visitor nor agent. If the vendor has added a code, add it to sql/codes.
-- Returns: one row per account, column and code, with its number of rows and the first and last date.

select
    account_id,
    'conversations.end_reason_id' as column_name,
    end_reason_id::varchar as code,
    count(*) as row_count,
    min(date) as first_date,
    max(date) as last_date
from conversations
where end_reason_id not in (select code from end_reason)
group by account_id, end_reason_id
union all
select
    account_id,
    'conversations.start_reason_id' as column_name,
    start_reason_id::varchar as code,
    count(*) as row_count,
    min(date) as first_date,
    max(date) as last_date
from conversations
where start_reason_id not in (select code from start_reason)
group by account_id, start_reason_id
union all
select
    account_id,
    'messages.type' as column_name,
    type as code,
    count(*) as row_count,
    min(date) as first_date,
    max(date) as last_date
from messages
where type not in (select code from message_type)
group by account_id, type
