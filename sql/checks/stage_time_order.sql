-- The stages of a conversation are out of order by more than tolerance_seconds: it should start, queue, leave the queue
-- and be connected in this order, the last two at once. Measures take each time as it was sent; where two of them
-- contradict each other, queue times and service levels are in doubt. Ask the vendor if there are many.
-- Returns: one row per conversation and pair of times, with how far the second is before the first.

with pairs as (
    select
        account_id,
        conversation_id,
        date,
        unnest([
            {
                'rule': 'conversation_start_time <= queue_start_time',
                'earlier': conversation_start_time,
                'later': queue_start_time
            },
            {
                'rule': 'queue_end_time <= interaction_start_time',
                'earlier': queue_end_time,
                'later': interaction_start_time
            },
            {
                'rule': 'interaction_start_time <= queue_end_time',
                'earlier': interaction_start_time,
                'later': queue_end_time
            },
            {
                'rule': 'queue_end_time <= conversation_end_time',
                'earlier': queue_end_time,
                'later': conversation_end_time
            }
        ]) as pair
    from conversations
)

select
    pairs.account_id,
    pairs.conversation_id,
    pairs.date,
    pair.rule as rule,
    pair.earlier as earlier_time,
    pair.later as later_time,
    (epoch_ms(pair.earlier) - epoch_ms(pair.later)) / 1000 as too_early_seconds
from pairs
join account_rules as rules
    on rules.account_id is not distinct from rules_account(pairs.account_id)
where too_early_seconds > rules.tolerance_seconds
