-- The source's flag and the transcripts disagree on whether the visitor took part, in more than flag_tolerance_percent
-- of an account's connected conversations. Measures by the flag (handling_daily) are in doubt. The flag speaks of a
-- conversation's last part, so a conversation with transfers is compared only if each of them has a flag, too, and
-- the legs of one (conversation_legs) are not: the lines of a leg need not be those that its flag speaks of.
-- Took part: of a MESSAGING conversation, the visitor wrote after an agent did; of any other, the visitor wrote.
-- Returns: one row per account and type of conversation, with how many were compared and how many disagree.

with flags as (
    select account_id, conversation_id, date, count(is_interactive) as flag_count
    from transfers
    group by account_id, conversation_id, date
),

asked as (
    select account_id, conversation_id, date, min(position) as position
    from messages
    where type in ('1', '3', '4')
    group by account_id, conversation_id, date
),

answered as (
    select distinct line.account_id, line.conversation_id, line.date
    from messages as line
    join asked
        on line.account_id is not distinct from asked.account_id
        and line.conversation_id = asked.conversation_id
        and line.date = asked.date
        and line.position > asked.position
    where line.type = '0'
),

compared as (
    select
        conversation.account_id,
        conversation.type,
        conversation.was_interactive,
        case
            when conversation.type = 'MESSAGING' then answered.conversation_id is not null
            else conversation.visitor_line_count > 0
        end as took_part
    from conversation_metrics as conversation
    left join flags
        on conversation.account_id is not distinct from flags.account_id
        and conversation.conversation_id = flags.conversation_id
        and conversation.date = flags.date
    left join answered
        on conversation.account_id is not distinct from answered.account_id
        and conversation.conversation_id = answered.conversation_id
        and conversation.date = answered.date
    anti join conversation_legs as leg
        on conversation.account_id is not distinct from leg.account_id
        and conversation.conversation_id = leg.conversation_id
        and conversation.date = leg.date
    where conversation.is_connected and coalesce(flags.flag_count, 0) = conversation.transfer_count
)

select
    compared.account_id,
    compared.type,
    count(*) as compared_count,
    count(*) filter (where compared.was_interactive is distinct from compared.took_part) as differing_count,
    differing_count / compared_count as differing_share
from compared
join account_rules as rules
    on rules.account_id is not distinct from rules_account(compared.account_id)
group by compared.account_id, compared.type
having differing_share * 100 > any_value(rules.flag_tolerance_percent)
