-- The source's flag and the transcripts disagree on whether the visitor took part, in more than flag_tolerance_percent
-- of an account's connected conversations. Measures by the flag (handling_daily) are in doubt: compare
-- interactive_count with interactive_recomputed_count there.
-- Returns: one row per account and type of conversation, with how many disagree.

select
    conversation.account_id,
    conversations.type,
    count(*) as connected_count,
    count(*) filter (where conversation.is_interactive is distinct from is_interactive_recomputed) as differing_count,
    differing_count / connected_count as differing_share
from conversation_interactivity as conversation
join conversations
    on conversation.account_id is not distinct from conversations.account_id
    and conversation.conversation_id = conversations.conversation_id
    and conversation.date = conversations.date
join account_rules as rules
    on rules.account_id is not distinct from rules_account(conversation.account_id)
where conversation.is_connected
group by conversation.account_id, conversations.type
having differing_share * 100 > any_value(rules.flag_tolerance_percent)
