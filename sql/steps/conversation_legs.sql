-- Records that are the legs of one conversation, in accounts that send one record a leg.
-- Grain:   one row per record (account_id, conversation_id and date) of a conversation with several legs.
-- Counts:  a record is a further leg if it started by a transfer (start reason 2 or 3) and the person's record before
--          it ended by one (end reason 101 or 106). Records without a person are no legs.
-- Units:   records of a person stand in the order of their starts.
-- Source:  StartReasonId and endReasonId of Conversation, through conversation_metrics; legs are ours.

with records as not materialized (
    select
        account_id,
        conversation_id,
        date,
        person_id,
        hash(account_id, person_id) as person_key,
        conversation_start_time,
        start_reason_id in (2, 3) as is_taken_over,
        end_reason_id in (101, 106) as is_handed_on
    from conversation_metrics
),

-- Who has no record that started by a transfer has no legs: nobody looks at the order of those.
transferred as (
    select distinct person_key
    from records
    where is_taken_over and person_id is not null
),

ordered as (
    select
        *,
        coalesce(is_taken_over and lag(is_handed_on) over person, false) as is_leg,
        coalesce(is_handed_on and lead(is_taken_over) over person, false) as goes_on
    from records
    where person_id is not null and person_key in (select person_key from transferred)
    window person as (
        partition by account_id, person_id
        order by conversation_start_time nulls last, conversation_id, date
    )
),

numbered as (
    select
        *,
        count(*) filter (where not is_leg) over (
            partition by account_id, person_id
            order by conversation_start_time nulls last, conversation_id, date
        ) as contact_number
    from ordered
)

select
    account_id,
    conversation_id,
    date,
    row_number() over (
        partition by account_id, person_id, contact_number
        order by conversation_start_time nulls last, conversation_id, date
    ) as leg_number,  -- Place of the record among the legs of its conversation, from 1.
    first_value(conversation_id) over contact as contact_id,  -- The record that is the conversation's first leg.
    first_value(date) over contact as contact_date,  -- UTC day on which the first leg started.
    count(*) over contact as leg_count  -- Records of the conversation, one if it has no legs.
from numbered
where is_leg or goes_on
window contact as (
    partition by account_id, person_id, contact_number
    order by conversation_start_time nulls last, conversation_id, date
    rows between unbounded preceding and unbounded following
)
