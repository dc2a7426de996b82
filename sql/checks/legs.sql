-- The account seems to send one record a leg of a conversation, where others send one with its transfers: records end
-- by a transfer (end reason 101 or 106), and others start by one (start reason 2 or 3). Counts of conversations, waits
-- and closings are then those of legs; repeat_contact and bot_conversations join the legs of a person, leg_count of
-- them.
-- Returns: one row per account and type of conversation with such ends and such starts, and how many there are.

with records as (
    select
        account_id,
        type,
        count(*) as record_count,
        count(*) filter (where end_reason_id in (101, 106)) as handed_on_count,
        count(*) filter (where start_reason_id in (2, 3)) as taken_over_count
    from conversation_metrics
    group by account_id, type
    having handed_on_count > 0 and taken_over_count > 0
),

joined as (
    select account_id, type, sum(leg_count)::bigint as leg_count
    from contacts
    where leg_count > 1
    group by account_id, type
)

select
    records.account_id,
    records.type,
    records.record_count,
    records.handed_on_count,
    records.taken_over_count,
    coalesce(joined.leg_count, 0) as leg_count
from records
left join joined
    on records.account_id is not distinct from joined.account_id
    and records.type is not distinct from joined.type
