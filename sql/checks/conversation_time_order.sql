-- A conversation has times in the wrong order, so the duration between them is NULL in conversation_metrics. The
-- source sent them like this: leave the row out of your own sums, and ask the vendor if there are many.
-- Returns: one row per conversation and pair of times, with how far the second is before the first.

with pairs as (
    select
        account_id,
        conversation_id,
        date,
        unnest([
            {
                'rule': 'queue_start_time <= queue_end_time',
                'earlier': queue_start_time,
                'later': queue_end_time
            },
            {
                'rule': 'queue_start_time <= conversation_end_time',
                'earlier': queue_start_time,
                'later': conversation_end_time
            },
            {
                'rule': 'conversation_start_time <= conversation_end_time',
                'earlier': conversation_start_time,
                'later': conversation_end_time
            },
            {
                'rule': 'interaction_start_time <= conversation_end_time',
                'earlier': interaction_start_time,
                'later': conversation_end_time
            }
        ]) as pair
    from conversations
)

select
    account_id,
    conversation_id,
    date,
    pair.rule as rule,
    pair.earlier as earlier_time,
    pair.later as later_time,
    (epoch_ms(pair.earlier) - epoch_ms(pair.later)) / 1000 as too_early_seconds
from pairs
where pair.later < pair.earlier
